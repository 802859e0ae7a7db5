"""Every error of delivery that a user can meet, in one family.

DeliveryError
├── InvalidBundle        INVALID_BUNDLE
├── UnknownFunction      UNKNOWN_FUNCTION
├── CheckFailed          CHECK_FAILED
├── RolloutUnderWay      ROLLOUT_UNDER_WAY
├── NoVersionBefore      NO_VERSION_BEFORE
├── RollbackFailed       ROLLBACK_FAILED
└── AwsUnavailable       AWS_UNAVAILABLE
"""

from __future__ import annotations

from typing import ClassVar


class DeliveryError(Exception):
    """The base of the family: a reason for programs, a message of one line for people.

    Attributes:
        reason: UPPER_SNAKE_CASE, stable across versions.
        details: what the message says, as values by name.
    """

    reason: ClassVar[str] = "DELIVERY_ERROR"

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidBundle(DeliveryError):
    """A file is not a zip that Lambda would take."""

    reason = "INVALID_BUNDLE"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class UnknownFunction(DeliveryError):
    """There is no function, alias or version of that name."""

    reason = "UNKNOWN_FUNCTION"

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}; terraform makes it", what=what)


class CheckFailed(DeliveryError):
    """What runs does not answer as it must."""

    reason = "CHECK_FAILED"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}", where=where, why=why)

    def after(self, what: str) -> CheckFailed:
        """The same, and what was done about it."""
        return CheckFailed(self.details["where"], f"{self.details['why']}; {what}")


class RolloutUnderWay(DeliveryError):
    """The alias shares its requests between two versions, or was moved by somebody else meanwhile."""

    reason = "ROLLOUT_UNDER_WAY"

    def __init__(self, alias: str, why: str) -> None:
        super().__init__(f"{alias}: {why}", alias=alias, why=why)


class NoVersionBefore(DeliveryError):
    """The alias never stood at another version."""

    reason = "NO_VERSION_BEFORE"

    def __init__(self, alias: str, version: str) -> None:
        super().__init__(
            f"{alias}: there is no version before {version} to go back to", alias=alias, version=version
        )


class RollbackFailed(DeliveryError):
    """A rollout failed, and so did moving the alias back: somebody has to look."""

    reason = "ROLLBACK_FAILED"

    def __init__(self, alias: str, version: str, why: str) -> None:
        super().__init__(
            f"{alias}: could not be moved back to version {version}: {why}",
            alias=alias,
            version=version,
            why=why,
        )


class AwsUnavailable(DeliveryError):
    """AWS cannot be asked, or refuses: no credentials, no rights, no network."""

    reason = "AWS_UNAVAILABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"AWS: {why}", why=why)
