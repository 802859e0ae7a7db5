# Variables. stage.tfvars and prod.tfvars hold the differences between the two environments; the bundle and an e-mail
# address for notices come from the command line, or from TF_VAR_bundle and TF_VAR_notify_email.

# What runs

variable "environment" {
  description = "Name of the environment, e.g. stage or prod. Part of every name, so that both fit into one account."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.environment))
    error_message = "The environment must be a lower-case word of at most 16 letters, digits and hyphens."
  }
}

variable "name" {
  description = "First part of every name in AWS."
  type        = string
  default     = "gif-analyzer"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "The name must be a lower-case word of at most 32 letters, digits and hyphens."
  }
}

variable "region" {
  description = "AWS region, e.g. eu-central-1."
  type        = string
  default     = "eu-central-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "The region must look like eu-central-1."
  }
}

variable "bundle" {
  description = "Path of the zip to run, as `make bundle` writes it."
  type        = string

  validation {
    condition     = fileexists(var.bundle)
    error_message = "There is no such file. `make bundle` writes build/lambda.zip."
  }

  validation {
    # A file of n bytes is 4 * ceil(n / 3) letters of base64.
    condition     = !fileexists(var.bundle) || length(try(filebase64(var.bundle), "")) <= 4 * ceil(52428800 / 3)
    error_message = "The zip is over 50 MiB: Lambda takes a larger one from S3 only, which is not always free."
  }
}

variable "handler" {
  description = "Entry point in the bundle, module.function."
  type        = string
  default     = "gateway.lambda_handler.handler"

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]*([./][A-Za-z_][A-Za-z0-9_]*)+$", var.handler))
    error_message = "The handler must be module.function."
  }
}

variable "architecture" {
  description = "Processor that the bundle was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be x86_64 or arm64."
  }
}

variable "memory_mb" {
  description = "Memory in MB, and with it the share of a processor: 1769 MB give a whole one. `make cost` names the best size."
  type        = number
  default     = 1769

  validation {
    condition     = var.memory_mb >= 256 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "The memory must be a whole number of MB from 256, the least that holds the model, to 10240."
  }
}

variable "timeout_s" {
  description = "Seconds that one request may take, a cold start included. With a longer timeout, requests that hang cost more."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 900 && floor(var.timeout_s) == var.timeout_s
    error_message = "The timeout must be a whole number of seconds from 1 to 900."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    Most requests at the same time; further ones are refused with 429. It limits what an attack can cost; 0 turns the
    function off. null leaves the account's limit, which is 10 for new accounts, of which nothing can be reserved.
  EOT
  type        = number
  default     = null

  validation {
    condition = var.reserved_concurrency == null || try(
      var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency, false
    )
    error_message = "The concurrency must be a whole number, at least 0, or null for no limit."
  }
}

variable "settings" {
  description = "Settings of the program, by their names in gateway/settings.py, e.g. { GIF_ANALYZER_MAX_FRAMES = \"2000\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for variable in keys(var.settings) : can(regex("^GIF_ANALYZER_[A-Z0-9_]+$", variable))])
    error_message = "Every setting must begin with GIF_ANALYZER_, as gateway/settings.py names them."
  }
}

variable "secret_settings" {
  description = <<-EOT
    Settings that must not appear in plans and logs, by the same names; give them as TF_VAR_secret_settings. The state
    holds them nevertheless: keep it where only you can read it.
  EOT
  type        = map(string)
  default     = {}
  sensitive   = true

  validation {
    condition     = alltrue([for variable in keys(var.secret_settings) : can(regex("^GIF_ANALYZER_[A-Z0-9_]+$", variable))])
    error_message = "Every setting must begin with GIF_ANALYZER_, as gateway/settings.py names them."
  }
}

# Who may use it

variable "open_to_everyone" {
  description = <<-EOT
    Whether everybody may use the service without a key. It has no default, because the address is public: say true, or
    false with keys in TF_VAR_secret_settings, e.g. '{"GIF_ANALYZER_API_KEYS": "..."}'.
  EOT
  type        = bool
  nullable    = false

  validation {
    condition     = var.open_to_everyone != local.has_keys
    error_message = "Either open_to_everyone is true, or secret_settings has GIF_ANALYZER_API_KEYS; not both, and not neither."
  }
}

# What watches it

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 7

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60 or 90 days."
  }
}

variable "unknown_share" {
  description = "Share of unknown among the answers of a day, 0 to 1, above which an alarm goes on; null creates no alarm."
  type        = number
  default     = 0.8

  validation {
    condition     = var.unknown_share == null || try(var.unknown_share > 0 && var.unknown_share < 1, false)
    error_message = "The share must be above 0 and below 1, or null for no alarm."
  }
}

variable "notify_email" {
  description = "E-mail address for notices of alarms and of the budget. AWS asks it for consent first. null sends none."
  type        = string
  default     = null

  validation {
    condition     = var.notify_email == null || can(regex("^[^@[:space:]]+@[^@[:space:]]+$", var.notify_email))
    error_message = "The address must be an e-mail address, or null."
  }
}

variable "budget_usd" {
  description = "Budget in dollars a month for the whole account, with a notice above it; null creates none."
  type        = number
  default     = null

  validation {
    condition     = var.budget_usd == null || try(var.budget_usd > 0, false)
    error_message = "The budget must be more than 0 dollars, or null for none."
  }
}

# Who may deploy it

variable "github_repository" {
  description = "OWNER/NAME of the repository whose workflows may deploy; null allows none."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "The repository must be OWNER/NAME, without wildcards."
  }
}

variable "github_environment" {
  description = "Environment of that repository whose jobs may deploy; null is the one with the name in `environment`."
  type        = string
  default     = null

  validation {
    condition     = var.github_environment == null || can(regex("^[A-Za-z0-9_.-]+$", var.github_environment))
    error_message = "The environment must be a name without wildcards."
  }
}

variable "create_github_provider" {
  description = "Whether to create GitHub's OIDC provider. An account holds one: true in the first environment, false in others."
  type        = bool
  default     = true
}
