# Values for the next steps: `terraform output -json`.

output "function_name" {
  description = "Name of the function, which `gif-deliver` takes."
  value       = aws_lambda_function.analyzer.function_name
}

output "alias" {
  description = "Alias that the address leads to."
  value       = aws_lambda_alias.live.name
}

output "version" {
  description = "Newest published version, for `gif-deliver rollout`."
  value       = aws_lambda_function.analyzer.version
}

output "bundle_sha256" {
  description = "SHA-256 of the uploaded zip, base64, as Lambda names it."
  value       = aws_lambda_function.analyzer.source_code_hash
}

output "url" {
  description = "Address of the service."
  value       = aws_lambda_function_url.live.function_url
}

output "region" {
  description = "AWS region, for AWS_REGION."
  value       = var.region
}

output "log_group" {
  description = "Log group of the function."
  value       = aws_cloudwatch_log_group.function.name
}

output "alarms" {
  description = "Alarms of the live alias, which a rollout watches."
  value       = [for alarm in aws_cloudwatch_metric_alarm.live : alarm.alarm_name]
}

output "deploy_role" {
  description = "Role for the workflows: the variable AWS_ROLE of the repository's environment. null without a repository."
  value       = one(aws_iam_role.deploy[*].arn)
}

output "drift_role" {
  description = "Role for the workflow `drift`: the variable AWS_ROLE of the repository's environment `watch`. null without a repository."
  value       = one(aws_iam_role.drift[*].arn)
}
