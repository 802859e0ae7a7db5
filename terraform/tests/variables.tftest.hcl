# Invalid variables are refused before any request to AWS.

mock_provider "aws" {
  source = "./tests/aws"
}

variables {
  environment          = "stage"
  bundle               = "tests/variables.tftest.hcl"
  open_to_everyone     = true
  reserved_concurrency = 5
}

run "missing_bundle" {
  command = plan

  variables {
    bundle = "no/such.zip"
  }

  expect_failures = [var.bundle]
}

run "names" {
  command = plan

  variables {
    environment = "Stage 1"
    name        = "-analyzer"
    region      = "Frankfurt"
    handler     = "handler"
  }

  expect_failures = [var.environment, var.name, var.region, var.handler]
}

run "sizes" {
  command = plan

  variables {
    architecture         = "sparc"
    memory_mb            = 128
    timeout_s            = 1.5
    reserved_concurrency = -1
    log_retention_days   = 2
  }

  expect_failures = [
    var.architecture, var.memory_mb, var.timeout_s, var.reserved_concurrency, var.log_retention_days,
  ]
}

run "settings" {
  command = plan

  variables {
    settings        = { PATH = "/bin" }
    secret_settings = { LD_PRELOAD = "x" }
  }

  expect_failures = [var.settings, var.secret_settings]
}

run "notices" {
  command = plan

  variables {
    notify_email = "nobody"
    budget_usd   = 0
  }

  expect_failures = [var.notify_email, var.budget_usd]
}

run "repository_with_wildcard" {
  command = plan

  variables {
    github_repository  = "owner/*"
    github_environment = "*"
  }

  expect_failures = [var.github_repository, var.github_environment]
}

run "closed_without_keys" {
  command = plan

  variables {
    open_to_everyone = false
    secret_settings  = { GIF_ANALYZER_API_KEYS = " , " }
  }

  expect_failures = [var.open_to_everyone]
}

run "open_with_keys" {
  command = plan

  variables {
    settings = { GIF_ANALYZER_API_KEYS = "one" }
  }

  expect_failures = [var.open_to_everyone]
}
