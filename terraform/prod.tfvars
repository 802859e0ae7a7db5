# Production. The account's one budget is made here; TF_VAR_notify_email says who is told.
environment = "prod"
budget_usd  = 1

# An account holds one OIDC provider of GitHub: staging made it.
create_github_provider = false
