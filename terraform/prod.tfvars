# Production. It creates the account's only budget; TF_VAR_notify_email is notified. Who may use it is not said here: set
# TF_VAR_open_to_everyone.
environment = "prod"
budget_usd  = 1

# An account holds one OIDC provider of GitHub: staging creates it.
create_github_provider = false
