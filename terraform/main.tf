# The function, its address, and who may call it: bundle -> published version -> alias `live` -> Function URL.

locals {
  function = "${var.name}-${var.environment}"
  alias    = "live"
  # A secret hides the whole map from plans; without one they show what is set.
  settings = nonsensitive(length(var.secret_settings)) == 0 ? var.settings : merge(var.settings, var.secret_settings)
}

# Made before the function, which would otherwise make one that is kept for ever.
resource "aws_cloudwatch_log_group" "function" {
  #checkov:skip=CKV_AWS_158:Logs hold no GIF and no secret; a key of one's own costs a dollar a month
  #checkov:skip=CKV_AWS_338:Seven days are what always-free logs carry; they hold nothing that must be kept
  name              = "/aws/lambda/${local.function}"
  retention_in_days = var.log_retention_days
}

# Terraform owns the code and its settings: a change of either publishes a version. It does not own which version the
# alias gives to users: that is for `gif-deliver rollout`, after the version has answered well (docs/delivery.md).
resource "aws_lambda_function" "analyzer" {
  #checkov:skip=CKV_AWS_50:X-Ray is not always free; durations are in the logs and in CloudWatch's own metrics
  #checkov:skip=CKV_AWS_115:A cap is a variable; new accounts have nothing that could be reserved
  #checkov:skip=CKV_AWS_116:A Function URL calls synchronously: the caller gets the error, no letter is ever dead
  #checkov:skip=CKV_AWS_117:It reaches nothing private; a VPC with a way out costs money
  #checkov:skip=CKV_AWS_173:Encrypted with the key of AWS; a key of one's own costs a dollar a month
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
  function_version = aws_lambda_function.analyzer.version # the first one; afterwards see ignore_changes

  lifecycle {
    ignore_changes = [description, function_version, routing_config]
  }
}

# With authorization NONE the provider itself adds the first of two permissions, lambda:InvokeFunctionUrl.
resource "aws_lambda_function_url" "live" {
  #checkov:skip=CKV_AWS_258:A public service: keys of its own are a setting of the program
  function_name      = aws_lambda_alias.live.function_name
  qualifier          = aws_lambda_alias.live.name
  authorization_type = "NONE"
}

# Addresses made since October 2025 take a second one: lambda:InvokeFunction for everybody, on condition that the call came
# by the Function URL. This provider's aws_lambda_permission cannot express the condition, and without it every account
# of AWS could call the function directly. CloudFormation can, and costs nothing.
resource "aws_cloudformation_stack" "url_permission" {
  #checkov:skip=CKV_AWS_124:One permission that changes with nothing else: Terraform itself waits and tells how it went
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
