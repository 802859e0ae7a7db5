# What this configuration takes, where its state lies, and who the provider is.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # One version, not a range: it is what the tests ran with. docs/delivery.md says why no lock file is committed.
      version = "5.100.0"
    }
  }

  # The state's place is a choice of whoever runs this: `-backend-config=path=stage.tfstate` for a file here, or HCP
  # Terraform with cloud_override.tf (docs/delivery.md). An override file takes precedence over this block.
  backend "local" {}
}

# Credentials come from the environment: AWS_PROFILE, or the role that a workflow assumes.
provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = var.name
      environment = var.environment
    }
  }
}
