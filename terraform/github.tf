# How workflows of one repository deploy, without a key that could be stolen: GitHub vouches for the job (OIDC), AWS lends it
# a role for an hour. The role can change what runs, not who may do what: a change of the rights, the alarms or the
# names in this folder is applied by the account's owner.

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

data "aws_iam_policy_document" "github_may_assume" {
  count = local.by_github

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = concat(aws_iam_openid_connect_provider.github[*].arn, data.aws_iam_openid_connect_provider.github[*].arn)
    }

    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:aud"
      values   = ["sts.amazonaws.com"]
    }

    # Jobs of this environment only, and so only after its approvals; never a pull request.
    condition {
      test     = "StringEquals"
      variable = "${local.github_host}:sub"
      values   = ["repo:${var.github_repository}:environment:${local.github_environment}"]
    }
  }
}

resource "aws_iam_role" "deploy" {
  count                = local.by_github
  name                 = "${local.function}-deploy"
  description          = "What workflows of ${var.github_repository} deploy ${local.function} as"
  assume_role_policy   = data.aws_iam_policy_document.github_may_assume[0].json
  max_session_duration = 3600 # seconds
}

# Written out, not a policy document of the provider's: that would be read anew, and the policy planned anew, whenever the
# function changes.
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
      # What `terraform plan` compares with the rest of this folder.
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
        )
      },
      # These know no resource.
      {
        Sid      = "ReadLists"
        Action   = ["cloudwatch:DescribeAlarms", "iam:ListOpenIDConnectProviders", "logs:DescribeLogGroups"]
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
