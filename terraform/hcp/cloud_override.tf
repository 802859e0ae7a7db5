# Keeps the state in HCP Terraform instead of a file. Copy this file one folder up, where git ignores it:
#
#   cp terraform/hcp/cloud_override.tf terraform/
#   export TF_CLOUD_ORGANIZATION=…  TF_WORKSPACE=gif-analyzer-stage  TF_TOKEN_app_terraform_io=…
#
# Set the workspace's execution mode to Local: the bundle and the AWS credentials are on the machine that runs Terraform.

terraform {
  cloud {}
}
