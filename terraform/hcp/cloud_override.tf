# State in HCP Terraform instead of a file. Copy this file one folder up; git ignores it there:
#
#   cp terraform/hcp/cloud_override.tf terraform/
#   export TF_CLOUD_ORGANIZATION=…  TF_WORKSPACE=gif-analyzer-stage  TF_TOKEN_app_terraform_io=…
#
# Set the workspace's execution mode to Local: the bundle and the credentials of AWS are where Terraform is started.

terraform {
  cloud {}
}
