# Watches what the model answers: an alarm for the share of unknown, and the role that reads the log for `gif-deliver drift`.

locals {
  # Both filters write one metric, 1 for unknown and 0 for any other answer, so that its mean is the share of unknown. One
  # metric in each environment; ten are always free.
  unknown_filters = {
    unknown = { verdict = "=", value = "1" }
    other   = { verdict = "!=", value = "0" }
  }
  unknown_metric    = { namespace = "GifAnalyzer", name = "${local.function}-unknown" }
  least_answers     = 30 # a day, for their share to say anything
  drift_environment = "watch"
}

resource "aws_cloudwatch_log_metric_filter" "unknown" {
  for_each = local.unknown_filters

  name           = "${local.function}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = "{ ($.message = \"answer\") && ($.error IS NULL) && ($.verdict ${each.value.verdict} \"unknown\") }"

  metric_transformation {
    namespace = local.unknown_metric.namespace
    name      = local.unknown_metric.name
    value     = each.value.value
  }
}

# CloudWatch counts it as two of the ten alarms that are always free, one for each metric of its expression.
resource "aws_cloudwatch_metric_alarm" "unknown" {
  count = var.unknown_share == null ? 0 : 1

  alarm_name        = "${local.function}-unknown"
  alarm_description = "${local.function}: more than ${100 * var.unknown_share} % of the answers of a day are unknown"

  comparison_operator = "GreaterThanThreshold"
  threshold           = var.unknown_share
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # no data means no answers

  metric_query {
    id          = "watched"
    expression  = "IF(answers >= ${local.least_answers}, share, 0)"
    label       = "share of unknown"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { answers = "SampleCount", share = "Average" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.unknown_metric.namespace
        metric_name = local.unknown_metric.name
        period      = 86400 # seconds: a day
        stat        = metric_query.value
      }
    }
  }

  alarm_actions = aws_sns_topic.notices[*].arn
  ok_actions    = aws_sns_topic.notices[*].arn
}

# Jobs of the environment `watch` take this role: see github.tf.
resource "aws_iam_role" "drift" {
  count                = local.by_github
  name                 = "${local.function}-drift"
  description          = "What reads the log of ${local.function} to look for drift"
  assume_role_policy   = data.aws_iam_policy_document.github_may_assume["drift"].json
  max_session_duration = 3600 # seconds
}

resource "aws_iam_role_policy" "drift" {
  count = local.by_github
  name  = "drift"
  role  = aws_iam_role.drift[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:FilterLogEvents"]
      Resource = [aws_cloudwatch_log_group.function.arn, "${aws_cloudwatch_log_group.function.arn}:*"]
    }]
  })
}
