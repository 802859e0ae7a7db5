# The function and its address, planned with a mocked provider.

mock_provider "aws" {
  source = "./tests/aws"
}

variables {
  environment          = "stage"
  bundle               = "tests/function.tftest.hcl" # any file stands for a zip here
  open_to_everyone     = true
  reserved_concurrency = 5
}

run "function" {
  command = plan

  variables {
    reserved_concurrency = null
  }

  expect_failures = [check.cost_is_limited]

  assert {
    condition     = aws_lambda_function.analyzer.function_name == "gif-analyzer-stage"
    error_message = "The name is not that of the environment."
  }

  assert {
    condition     = aws_lambda_function.analyzer.runtime == "python3.13" && aws_lambda_function.analyzer.publish
    error_message = "It is not a published version for Python 3.13."
  }

  assert {
    condition     = tolist(aws_lambda_function.analyzer.architectures) == tolist(["x86_64"])
    error_message = "The default is not x86_64."
  }

  assert {
    condition     = aws_lambda_function.analyzer.source_code_hash == filebase64sha256("tests/function.tftest.hcl")
    error_message = "The digest is not that of the file."
  }

  assert {
    condition     = aws_lambda_function.analyzer.reserved_concurrent_executions == -1
    error_message = "Concurrency is capped although it was not set."
  }

  assert {
    condition     = length(aws_lambda_function.analyzer.environment) == 0
    error_message = "There are settings although none were given."
  }

  assert {
    condition     = aws_cloudwatch_log_group.function.name == "/aws/lambda/gif-analyzer-stage" && aws_cloudwatch_log_group.function.retention_in_days == 7
    error_message = "The log group is not the function's, or is not kept for 7 days."
  }
}

run "address" {
  command = plan

  assert {
    condition     = aws_lambda_alias.live.name == "live" && aws_lambda_function_url.live.qualifier == "live"
    error_message = "The address does not lead to the alias."
  }

  assert {
    condition     = aws_lambda_function_url.live.authorization_type == "NONE"
    error_message = "The address is not public."
  }
}

run "permission_only_by_url" {
  command = apply

  assert {
    condition = jsondecode(aws_cloudformation_stack.url_permission.template_body).Resources.InvokeByUrl.Properties == {
      FunctionName          = aws_lambda_alias.live.arn
      Action                = "lambda:InvokeFunction"
      Principal             = "*"
      InvokedViaFunctionUrl = true
    }
    error_message = "The second permission is not for everybody by the Function URL only."
  }
}

run "options" {
  command = plan

  variables {
    architecture         = "arm64"
    memory_mb            = 2048
    timeout_s            = 60
    reserved_concurrency = 0
    log_retention_days   = 1
    settings             = { GIF_ANALYZER_MAX_FRAMES = "2000" }
    secret_settings      = { GIF_ANALYZER_MAX_BYTES = "1000" }
  }

  assert {
    condition     = tolist(aws_lambda_function.analyzer.architectures) == tolist(["arm64"])
    error_message = "The architecture is not arm64."
  }

  assert {
    condition     = aws_lambda_function.analyzer.memory_size == 2048 && aws_lambda_function.analyzer.timeout == 60
    error_message = "Memory or timeout is not as set."
  }

  assert {
    condition     = aws_lambda_function.analyzer.reserved_concurrent_executions == 0
    error_message = "A concurrency of 0 was not passed on."
  }

  assert {
    condition = nonsensitive(aws_lambda_function.analyzer.environment[0].variables) == tomap({
      GIF_ANALYZER_MAX_BYTES  = "1000"
      GIF_ANALYZER_MAX_FRAMES = "2000"
    })
    error_message = "The settings did not reach the function."
  }
}

run "open_to_everyone_or_with_keys" {
  command = plan

  variables {
    open_to_everyone     = false
    reserved_concurrency = null
    secret_settings      = { GIF_ANALYZER_API_KEYS = "one,two" }
  }

  # No warning: only those with a key can cost anything.
  assert {
    condition     = nonsensitive(aws_lambda_function.analyzer.environment[0].variables["GIF_ANALYZER_API_KEYS"]) == "one,two"
    error_message = "The keys did not reach the function."
  }
}
