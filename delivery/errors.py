"""Every error of delivery that a user can meet, in one family.

DeliveryError
├── InvalidBundle        INVALID_BUNDLE
├── UnknownFunction      UNKNOWN_FUNCTION
├── CheckFailed          CHECK_FAILED
├── RolloutUnderWay      ROLLOUT_UNDER_WAY
├── NoVersionBefore      NO_VERSION_BEFORE
├── RollbackFailed       ROLLBACK_FAILED
├── AwsUnavailable       AWS_UNAVAILABLE
├── InvalidOption        INVALID_OPTION
├── MissingTool          MISSING_TOOL
├── FailedStep           FAILED_STEP
├── InvalidModel         INVALID_MODEL
├── NoCandidate          NO_CANDIDATE
├── StaleRule            STALE_RULE
├── BundleTooLarge       BUNDLE_TOO_LARGE
└── InvalidMeasurement   INVALID_MEASUREMENT
"""

from __future__ import annotations

from services.errors import ReasonedError


class DeliveryError(ReasonedError):
    """The base of the family."""

    reason = "DELIVERY_ERROR"


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


class InvalidOption(DeliveryError):
    """An option has an unknown name or an impossible value."""

    reason = "INVALID_OPTION"

    def __init__(self, option: str, *, expected: str, found: str) -> None:
        super().__init__(f"{option} must be {expected}, this is {found!r}", option=option, found=found)


class MissingTool(DeliveryError):
    """A program that delivering takes is not on this machine."""

    reason = "MISSING_TOOL"

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is not on this machine: {remedy}", tool=tool, remedy=remedy)


class FailedStep(DeliveryError):
    """A program that delivering ran has failed."""

    reason = "FAILED_STEP"

    def __init__(self, step: str, printed: str) -> None:
        why = " ".join(printed.split()) or "it printed nothing"
        super().__init__(f"{step} failed: {why}", step=step, why=why)


class InvalidModel(DeliveryError):
    """A file is not a model that the function could load."""

    reason = "INVALID_MODEL"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be bundled: {why}", path=path, why=why)


class StaleRule(DeliveryError):
    """A rule of pruning matches nothing: what it was written for has changed."""

    reason = "STALE_RULE"

    def __init__(self, rules: str) -> None:
        super().__init__(f"pruning rules that match nothing in these wheels: {rules}", rules=rules)


class BundleTooLarge(DeliveryError):
    """A bundle is larger than what Lambda takes."""

    reason = "BUNDLE_TOO_LARGE"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the bundle is too large {what}: {size_bytes:,} bytes, Lambda takes {limit_bytes:,}",
            what=what,
            size_bytes=str(size_bytes),
            limit_bytes=str(limit_bytes),
        )


class InvalidMeasurement(DeliveryError):
    """A file of figures is not as `benchmarks cold-start` writes it."""

    reason = "INVALID_MEASUREMENT"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} holds no measurement: {why}", path=path, why=why)


class NoCandidate(DeliveryError):
    """The registry has no model to deliver."""

    reason = "NO_CANDIDATE"

    def __init__(self) -> None:
        super().__init__("the registry has neither a challenger nor a champion; gif-train register makes one")
