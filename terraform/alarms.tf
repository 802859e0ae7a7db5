# Alarms for crashes and throttled requests of the live alias. Two in each environment; ten are always free.

locals {
  alarms = {
    errors    = { metric = "Errors", says = "requests crashed or timed out; a GIF that cannot be read is not among them" }
    throttles = { metric = "Throttles", says = "requests were refused because too many came at the same time" }
  }
}

resource "aws_cloudwatch_metric_alarm" "live" {
  for_each = local.alarms

  alarm_name        = "${local.function}-${each.key}"
  alarm_description = "${local.function}: ${each.value.says}"

  namespace   = "AWS/Lambda"
  metric_name = each.value.metric
  dimensions = {
    FunctionName = aws_lambda_function.analyzer.function_name
    Resource     = "${aws_lambda_function.analyzer.function_name}:${aws_lambda_alias.live.name}"
  }

  statistic           = "Sum"
  period              = 60 # seconds
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # no data means no requests

  alarm_actions = aws_sns_topic.notices[*].arn
  ok_actions    = aws_sns_topic.notices[*].arn
}

# A thousand e-mails a month are always free.
resource "aws_sns_topic" "notices" {
  #checkov:skip=CKV_AWS_26:A notice only names a function and a number; CloudWatch cannot publish with the key of AWS
  count = var.notify_email == null ? 0 : 1
  name  = "${local.function}-notices"
}

resource "aws_sns_topic_subscription" "email" {
  count     = length(aws_sns_topic.notices)
  topic_arn = aws_sns_topic.notices[0].arn
  protocol  = "email"
  endpoint  = var.notify_email
}

# For the whole account, so only one environment creates it: prod.tfvars sets budget_usd.
resource "aws_budgets_budget" "month" {
  count        = var.budget_usd == null ? 0 : 1
  name         = "${local.function}-month"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"

  dynamic "notification" {
    for_each = var.notify_email == null ? {} : { ACTUAL = 1, FORECASTED = 100 } # percent of the limit

    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = [var.notify_email]
    }
  }
}

check "somebody_is_told" {
  assert {
    condition     = var.budget_usd == null || var.notify_email != null
    error_message = "The budget notifies nobody: set TF_VAR_notify_email to be notified when money is spent."
  }
}
