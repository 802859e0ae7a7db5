# The role with which workflows of one repository deploy, without a stored key: GitHub identifies the job (OIDC), and AWS
# gives it the role for an hour. The role can change what runs, but not permissions: the account's owner applies changes of
# the permissions, the alarms or the names in this folder.

locals {
  github_host        = "token.actions.githubusercontent.com"
  github_environment = coalesce(var.github_environment, var.environment)
  by_github          = var.github_repository == null ? 0 : 1
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.create_github_provider ? local.by_github : 0
  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_openid_connect_provider" "github" {
  count = var.create_github_provider ? 0 : local.by_github
  url   = "https://${local.github_host}"
}

# Only jobs of one environment, in one workflow, on main; never a pull request. The environment of deployments needs approvals.
# The claim `sub` is not compared: for repositories made or renamed since June 2026 it holds numbers beside the names.
data "aws_iam_policy_document" "github_may_assume" {
  for_each = local.by_github == 0 ? {} : {
    deploy = local.github_environment
    drift  = local.drift_environment
  }

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = concat(aws_iam_openid_connect_provider.github[*].arn, data.aws_iam_openid_connect_provider.github[*].arn)
    }

    dynamic "condition" {
      for_each = {
        aud              = "sts.amazonaws.com"
        environment      = each.value
        job_workflow_ref = "${var.github_repository}/.github/workflows/${each.key}.yml@refs/heads/main"
        ref              = "refs/heads/main"
        repository       = var.github_repository
      }

      content {
        test     = "StringEquals"
        variable = "${local.github_host}:${condition.key}"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "deploy" {
  count                = local.by_github
  name                 = "${local.function}-deploy"
  description          = "What workflows of ${var.github_repository} deploy ${local.function} as"
  assume_role_policy   = data.aws_iam_policy_document.github_may_assume["deploy"].json
  max_session_duration = 3600 # seconds
}

# Not an aws_iam_policy_document: Terraform would read that again, and plan the policy again, whenever the function changes.
locals {
  own_function = [aws_lambda_function.analyzer.arn, "${aws_lambda_function.analyzer.arn}:*"]

  deploy_statements = concat(
    [
      {
        Sid = "ChangeWhatRuns"
        Action = [
          "lambda:InvokeFunction",
          "lambda:PublishVersion",
          "lambda:UpdateAlias",
          "lambda:UpdateFunctionCode",
          "lambda:UpdateFunctionConfiguration",
        ]
        Resource = local.own_function
      },
      {
        Sid = "ReadTheFunction"
        Action = [
          "lambda:GetAlias",
          "lambda:GetFunction",
          "lambda:GetFunctionCodeSigningConfig",
          "lambda:GetFunctionConfiguration",
          "lambda:GetFunctionUrlConfig",
          "lambda:GetPolicy",
          "lambda:ListTags",
          "lambda:ListVersionsByFunction",
        ]
        Resource = local.own_function
      },
      # What `terraform plan` reads to compare with this folder.
      {
        Sid = "ReadTheRoles"
        Action = [
          "iam:GetOpenIDConnectProvider",
          "iam:GetRole",
          "iam:GetRolePolicy",
          "iam:ListAttachedRolePolicies",
          "iam:ListRolePolicies",
        ]
        Resource = concat(
          [aws_iam_role.function.arn],
          aws_iam_role.deploy[*].arn,
          aws_iam_role.drift[*].arn,
          aws_iam_openid_connect_provider.github[*].arn,
          data.aws_iam_openid_connect_provider.github[*].arn,
        )
      },
      {
        Sid = "ReadTheRest"
        Action = [
          "cloudformation:DescribeStacks",
          "cloudformation:GetTemplate",
          "cloudwatch:ListTagsForResource",
          "logs:ListTagsForResource",
        ]
        Resource = concat(
          [aws_cloudformation_stack.url_permission.id, aws_cloudwatch_log_group.function.arn],
          [for alarm in aws_cloudwatch_metric_alarm.live : alarm.arn],
          aws_cloudwatch_metric_alarm.unknown[*].arn,
        )
      },
      # These actions cannot be limited to a resource.
      {
        Sid      = "ReadLists"
        Action   = ["cloudwatch:DescribeAlarms", "iam:ListOpenIDConnectProviders", "logs:DescribeLogGroups", "logs:DescribeMetricFilters"]
        Resource = ["*"]
      },
    ],
    [
      for topic in aws_sns_topic.notices : {
        Sid      = "ReadTheNotices"
        Action   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource"]
        Resource = [topic.arn, "${topic.arn}:*"]
      }
    ],
    [
      for budget in aws_budgets_budget.month : {
        Sid      = "ReadTheBudget"
        Action   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
        Resource = [budget.arn]
      }
    ],
  )
}

resource "aws_iam_role_policy" "deploy" {
  count = local.by_github
  name  = "deploy"
  role  = aws_iam_role.deploy[0].id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in local.deploy_statements : merge(statement, { Effect = "Allow" })]
  })
}
