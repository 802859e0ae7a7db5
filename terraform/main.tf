# The function, its address, and who may call it: bundle -> published version -> alias `live` -> Function URL.

locals {
  function = "${var.name}-${var.environment}"
  alias    = "live"
  # With a secret the whole map is hidden in plans; without one they show the settings.
  settings = nonsensitive(length(var.secret_settings)) == 0 ? var.settings : merge(var.settings, var.secret_settings)
  # The program takes any text between commas and spaces as a key.
  has_keys = nonsensitive(can(regex(
    "[^,[:space:]]", lookup(merge(var.settings, var.secret_settings), "GIF_ANALYZER_API_KEYS", "")
  )))
}

check "cost_is_limited" {
  assert {
    condition     = !var.open_to_everyone || var.reserved_concurrency != null
    error_message = <<-EOT
      Everybody may use the service, and only the account's own limit says how many requests run at once. Set
      reserved_concurrency, or API keys with open_to_everyone = false.
    EOT
  }
}

# Created before the function, which would otherwise create one without an expiry.
resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:Logs hold no GIF and no secret; a customer-managed key costs a dollar a month
  #checkov:skip=CKV_AWS_338:Seven days fit into the always-free logs, which hold nothing that must be kept
  name              = "/aws/lambda/${local.function}"
  retention_in_days = var.log_retention_days
}

# Terraform manages the code and the settings: a change of either publishes a version. It does not manage which version
# users get: `gif-deliver rollout` moves the alias after it has checked the version (docs/delivery.md).
resource "aws_lambda_function" "analyzer" {
  #checkov:skip=CKV_AWS_50:X-Ray is not always free; durations are in the logs and in CloudWatch's own metrics
  #checkov:skip=CKV_AWS_115:The limit is a variable; new accounts cannot reserve concurrency
  #checkov:skip=CKV_AWS_116:A Function URL calls synchronously: the caller gets the error, so there is no dead letter
  #checkov:skip=CKV_AWS_117:It uses nothing private; a VPC with internet access costs money
  #checkov:skip=CKV_AWS_173:Encrypted with the key of AWS; a customer-managed key costs a dollar a month
  #checkov:skip=CKV_AWS_272:Code signing takes S3; only the role in github.tf and the account's owner can upload
  function_name = local.function
  description   = "GIF Analyzer: tells which TV show a GIF came from"
  role          = aws_iam_role.function.arn

  filename         = var.bundle
  source_code_hash = filebase64sha256(var.bundle)
  publish          = true

  runtime       = "python3.13"
  handler       = var.handler
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_s

  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency

  dynamic "environment" {
    for_each = nonsensitive(length(local.settings)) == 0 ? [] : [local.settings]

    content {
      variables = environment.value
    }
  }

  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.logs]
}

resource "aws_lambda_alias" "live" {
  name             = local.alias
  function_name    = aws_lambda_function.analyzer.function_name
  function_version = aws_lambda_function.analyzer.version # only the first one; see ignore_changes

  lifecycle {
    ignore_changes = [description, function_version, routing_config]
  }
}

# With authorization NONE the provider itself adds the first of two permissions, lambda:InvokeFunctionUrl.
resource "aws_lambda_function_url" "live" {
  #checkov:skip=CKV_AWS_258:A public service; its own API keys are a setting of the program
  function_name      = aws_lambda_alias.live.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = "NONE"
}

# Function URLs created since October 2025 need a second one: lambda:InvokeFunction for everybody, on condition that the call
# came by the Function URL. aws_lambda_permission of this provider cannot express the condition, and without it every AWS
# account could call the function directly. CloudFormation can express it, and costs nothing.
resource "aws_cloudformation_stack" "url_permission" {
  #checkov:skip=CKV_AWS_124:A single permission: Terraform itself waits for the stack and reports its result
  name = "${local.function}-url-permission"

  template_body = jsonencode({
    AWSTemplateFormatVersion = "2010-09-09"
    Description              = "Lets everybody call ${local.function} by its Function URL, and in no other way"
    Resources = {
      InvokeByUrl = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          FunctionName          = aws_lambda_alias.live.arn
          Action                = "lambda:InvokeFunction"
          Principal             = "*"
          InvokedViaFunctionUrl = true
        }
      }
    }
  })

  depends_on = [aws_lambda_function_url.live]
}
