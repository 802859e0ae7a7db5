# Versions, the backend of the state, and the provider.

terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # One version, not a range: the one that the tests use. .terraform.lock.hcl holds its digests.
      version = "5.100.0"
    }
  }

  # Whoever runs this chooses where the state is: in a file with `-backend-config=path=stage.tfstate`, or in HCP Terraform
  # with cloud_override.tf (docs/delivery.md), which takes precedence over this block.
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
