# Staging: what a challenger meets first. At most two requests at the same time would be enough, but new accounts have
# nothing to reserve; see reserved_concurrency.
environment = "stage"
