# Who may deploy: jobs of one environment of one repository.

mock_provider "aws" {
  source = "./tests/aws"
}

variables {
  environment          = "stage"
  bundle               = "tests/github.tftest.hcl"
  open_to_everyone     = true
  reserved_concurrency = 5
}

run "nobody_without_a_repository" {
  command = plan

  assert {
    condition     = length(aws_iam_role.deploy) == 0 && length(aws_iam_openid_connect_provider.github) == 0
    error_message = "There is a role for workflows although no repository was set."
  }
}

run "one_environment_of_one_repository" {
  command = plan

  variables {
    github_repository = "owner/gif-analyzer"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "The provider is not only for AWS."
  }

  assert {
    condition = {
      for condition in data.aws_iam_policy_document.github_may_assume["deploy"].statement[0].condition :
      trimprefix(condition.variable, "token.actions.githubusercontent.com:") => condition.values
      } == {
      aud              = tolist(["sts.amazonaws.com"])
      environment      = tolist(["stage"])
      job_workflow_ref = tolist(["owner/gif-analyzer/.github/workflows/deploy.yml@refs/heads/main"])
      ref              = tolist(["refs/heads/main"])
      repository       = tolist(["owner/gif-analyzer"])
    }
    error_message = "The role can be assumed by other jobs than those of deploy.yml on main, in this environment."
  }

  assert {
    condition = alltrue([
      for condition in data.aws_iam_policy_document.github_may_assume["deploy"].statement[0].condition : condition.test == "StringEquals"
    ])
    error_message = "A claim is compared by a pattern."
  }
}

run "second_environment_of_an_account" {
  command = plan

  variables {
    environment            = "prod"
    github_repository      = "owner/gif-analyzer"
    github_environment     = "production"
    create_github_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(data.aws_iam_openid_connect_provider.github) == 1
    error_message = "A second provider would be created."
  }
}

run "least_rights" {
  command = apply

  variables {
    github_repository = "owner/gif-analyzer"
  }

  # Actions that write are limited to this function.
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy[0].policy).Statement : [
        for action in statement.Action :
        can(regex(":(Get|List|Describe|View)", action)) || (
          startswith(action, "lambda:") && alltrue([
            for resource in statement.Resource : startswith(resource, "arn:aws:lambda:eu-central-1:123456789012:function:gif-analyzer-stage")
          ])
        )
      ]
    ]))
    error_message = "The workflows may change more than this function."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deploy[0].policy).Statement : [
        for action in statement.Action : !strcontains(action, "*")
      ]
    ]))
    error_message = "An action has a wildcard."
  }
}

run "drift_only_reads_the_log" {
  command = apply

  variables {
    github_repository = "owner/gif-analyzer"
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_iam_role_policy.drift[0].policy).Statement : statement.Action]) == ["logs:FilterLogEvents"]
    error_message = "The workflow drift may do more than read the log."
  }

  assert {
    condition = {
      for condition in data.aws_iam_policy_document.github_may_assume["drift"].statement[0].condition :
      trimprefix(condition.variable, "token.actions.githubusercontent.com:") => one(condition.values)
      } == {
      aud              = "sts.amazonaws.com"
      environment      = "watch"
      job_workflow_ref = "owner/gif-analyzer/.github/workflows/drift.yml@refs/heads/main"
      ref              = "refs/heads/main"
      repository       = "owner/gif-analyzer"
    }
    error_message = "The role can be assumed by other jobs than those of drift.yml on main, in the environment watch."
  }
}
