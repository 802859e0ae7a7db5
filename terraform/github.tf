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

data "aws_iam_policy_document" "deploy" {
  #checkov:skip=CKV_AWS_356:Some reading actions know no resource; they are alone in their statement
  count = local.by_github

  statement {
    sid = "ChangeWhatRuns"
    actions = [
      "lambda:InvokeFunction",
      "lambda:PublishVersion",
      "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
    ]
    resources = [aws_lambda_function.analyzer.arn, "${aws_lambda_function.analyzer.arn}:*"]
  }

  statement {
    sid = "ReadTheFunction"
    actions = [
      "lambda:GetAlias",
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionUrlConfig",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]
    resources = [aws_lambda_function.analyzer.arn, "${aws_lambda_function.analyzer.arn}:*"]
  }

  # What `terraform plan` compares with the rest of this folder.
  statement {
    sid = "ReadTheRoles"
    actions = [
      "iam:GetOpenIDConnectProvider",
      "iam:GetRole",
      "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies",
      "iam:ListRolePolicies",
    ]
    resources = concat(
      [aws_iam_role.function.arn, aws_iam_role.deploy[0].arn],
      aws_iam_openid_connect_provider.github[*].arn,
      data.aws_iam_openid_connect_provider.github[*].arn,
    )
  }

  statement {
    sid = "ReadTheRest"
    actions = [
      "cloudformation:DescribeStacks",
      "cloudformation:GetTemplate",
      "cloudwatch:ListTagsForResource",
      "logs:ListTagsForResource",
    ]
    resources = concat(
      [aws_cloudformation_stack.url_permission.id, aws_cloudwatch_log_group.function.arn],
      [for alarm in aws_cloudwatch_metric_alarm.live : alarm.arn],
    )
  }

  dynamic "statement" {
    for_each = aws_sns_topic.notices[*].arn

    content {
      sid       = "ReadTheNotices"
      actions   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource"]
      resources = [statement.value, "${statement.value}:*"]
    }
  }

  dynamic "statement" {
    for_each = aws_budgets_budget.month[*].arn

    content {
      sid       = "ReadTheBudget"
      actions   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
      resources = [statement.value]
    }
  }

  # These know no resource.
  statement {
    sid       = "ReadLists"
    actions   = ["cloudwatch:DescribeAlarms", "iam:ListOpenIDConnectProviders", "logs:DescribeLogGroups"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "deploy" {
  count  = local.by_github
  name   = "deploy"
  role   = aws_iam_role.deploy[0].id
  policy = data.aws_iam_policy_document.deploy[0].json
}
