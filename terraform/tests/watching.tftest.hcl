# Alarms, notices and the budget.

mock_provider "aws" {
  source = "./tests/aws"
}

variables {
  environment          = "stage"
  bundle               = "tests/watching.tftest.hcl"
  open_to_everyone     = true
  reserved_concurrency = 5
}

run "alarms_of_the_alias" {
  command = plan

  # The alarm of an expression counts once for each of its metrics.
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.live) + 2 * length(aws_cloudwatch_metric_alarm.unknown) <= 5
    error_message = "Two environments would need more than the ten alarms that are free."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.live :
      alarm.dimensions == tomap({ FunctionName = "gif-analyzer-stage", Resource = "gif-analyzer-stage:live" })
    ])
    error_message = "An alarm does not watch the live alias."
  }

  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.live : alarm.metric_name] == ["Errors", "Throttles"]
    error_message = "The alarms do not watch errors and throttles."
  }

  assert {
    condition     = length(aws_sns_topic.notices) == 0 && length(aws_budgets_budget.month) == 0
    error_message = "There are notices or a budget although none were set."
  }
}

run "share_of_unknown" {
  command = plan

  assert {
    condition = {
      for name, filter in aws_cloudwatch_log_metric_filter.unknown :
      filter.pattern => one(filter.metric_transformation).value
      } == {
      "{ ($.message = \"answer\") && ($.error IS NULL) && ($.verdict = \"unknown\") }"  = "1"
      "{ ($.message = \"answer\") && ($.error IS NULL) && ($.verdict != \"unknown\") }" = "0"
    }
    error_message = "The metric is not 1 for unknown and 0 for other answers."
  }

  assert {
    condition = length(distinct([
      for filter in aws_cloudwatch_log_metric_filter.unknown : one(filter.metric_transformation).name
    ])) == 1
    error_message = "The mean of the metric is not the share: its two values have two names."
  }

  assert {
    condition = {
      for query in aws_cloudwatch_metric_alarm.unknown[0].metric_query : query.id => one(query.metric).stat if length(query.metric) == 1
    } == { answers = "SampleCount", share = "Average" }
    error_message = "The alarm does not watch the share and the number of answers."
  }
}

run "no_alarm_of_unknown" {
  command = plan

  variables {
    unknown_share = null
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.unknown) == 0
    error_message = "There is an alarm although it was switched off."
  }
}

run "notices_and_budget" {
  command = apply

  variables {
    notify_email = "owner@example.org"
    budget_usd   = 1
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.live : alarm.alarm_actions == toset([aws_sns_topic.notices[0].arn])
    ])
    error_message = "An alarm notifies nobody."
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "owner@example.org"
    error_message = "The address is not subscribed."
  }

  assert {
    condition     = aws_budgets_budget.month[0].limit_amount == "1" && aws_budgets_budget.month[0].limit_unit == "USD"
    error_message = "The budget is not one dollar."
  }

  assert {
    condition = alltrue([
      for notification in aws_budgets_budget.month[0].notification :
      notification.subscriber_email_addresses == toset(["owner@example.org"])
    ])
    error_message = "The budget notifies another address."
  }
}

run "budget_that_tells_nobody" {
  command = plan

  variables {
    budget_usd = 1
  }

  expect_failures = [check.somebody_is_told]
}
