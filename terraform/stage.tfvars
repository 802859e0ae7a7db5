# Staging, where a challenger runs first. A limit of two requests at once would be enough, but new accounts cannot
# reserve concurrency; see reserved_concurrency.
environment = "stage"

# For API keys in TF_VAR_secret_settings, make it false.
open_to_everyone = true
