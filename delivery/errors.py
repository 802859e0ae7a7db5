"""The errors of gif-deliver.

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
├── InvalidLibrary       INVALID_LIBRARY
├── NoCandidate          NO_CANDIDATE
├── StaleRule            STALE_RULE
├── BundleTooLarge       BUNDLE_TOO_LARGE
├── InvalidMeasurement   INVALID_MEASUREMENT
├── InvalidAnswers       INVALID_ANSWERS
└── TooFewAnswers        TOO_FEW_ANSWERS
"""

from __future__ import annotations

from services.errors import ReasonedError


class DeliveryError(ReasonedError):
    """The base of these errors."""

    reason = "DELIVERY_ERROR"


class InvalidBundle(DeliveryError):
    """A file is not a zip that Lambda accepts."""

    reason = "INVALID_BUNDLE"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class UnknownFunction(DeliveryError):
    """There is no function, alias or version of that name."""

    reason = "UNKNOWN_FUNCTION"

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no {what}; Terraform creates it", what=what)


class CheckFailed(DeliveryError):
    """A function or an address does not answer as expected."""

    reason = "CHECK_FAILED"

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}", where=where, why=why)

    def after(self, what: str) -> CheckFailed:
        """Return the same error with what was done about it."""
        return CheckFailed(self.details["where"], f"{self.details['why']}; {what}")


class RolloutUnderWay(DeliveryError):
    """The alias already sends requests to two versions, or somebody else moved it."""

    reason = "ROLLOUT_UNDER_WAY"

    def __init__(self, alias: str, why: str) -> None:
        super().__init__(f"{alias}: {why}", alias=alias, why=why)


class NoVersionBefore(DeliveryError):
    """The alias never pointed to another version."""

    reason = "NO_VERSION_BEFORE"

    def __init__(self, alias: str, version: str) -> None:
        super().__init__(
            f"{alias}: there is no version before {version} to go back to", alias=alias, version=version
        )


class RollbackFailed(DeliveryError):
    """A rollout failed, and moving the alias back failed too."""

    reason = "ROLLBACK_FAILED"

    def __init__(self, alias: str, version: str, why: str) -> None:
        super().__init__(
            f"{alias}: could not be moved back to version {version}: {why}",
            alias=alias,
            version=version,
            why=why,
        )


class AwsUnavailable(DeliveryError):
    """AWS refuses or cannot be reached: no credentials, no rights, no network."""

    reason = "AWS_UNAVAILABLE"

    def __init__(self, why: str) -> None:
        super().__init__(f"AWS: {why}", why=why)


class InvalidOption(DeliveryError):
    """An option has an unknown name or an impossible value."""

    reason = "INVALID_OPTION"

    def __init__(self, option: str, *, expected: str, found: str) -> None:
        super().__init__(f"{option} must be {expected}, this is {found!r}", option=option, found=found)


class MissingTool(DeliveryError):
    """A program that gif-deliver needs is not on this machine."""

    reason = "MISSING_TOOL"

    def __init__(self, tool: str, remedy: str) -> None:
        super().__init__(f"{tool} is not on this machine: {remedy}", tool=tool, remedy=remedy)


class FailedStep(DeliveryError):
    """A program that gif-deliver ran has failed."""

    reason = "FAILED_STEP"

    def __init__(self, step: str, printed: str) -> None:
        why = " ".join(printed.split()) or "it printed nothing"
        super().__init__(f"{step} failed: {why}", step=step, why=why)


class InvalidModel(DeliveryError):
    """A file is not a model that the function can load."""

    reason = "INVALID_MODEL"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be bundled: {why}", path=path, why=why)


class InvalidLibrary(DeliveryError):
    """A file is not a library that the function can use with its model."""

    reason = "INVALID_LIBRARY"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} cannot be bundled: {why}", path=path, why=why)


class StaleRule(DeliveryError):
    """A pruning rule matches no file: a package has changed."""

    reason = "STALE_RULE"

    def __init__(self, rules: str) -> None:
        super().__init__(f"pruning rules that match nothing in these wheels: {rules}", rules=rules)


class BundleTooLarge(DeliveryError):
    """A bundle is larger than Lambda accepts."""

    reason = "BUNDLE_TOO_LARGE"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the {what} bundle is too large: {size_bytes:,} bytes, Lambda accepts {limit_bytes:,}",
            what=what,
            size_bytes=str(size_bytes),
            limit_bytes=str(limit_bytes),
        )


class InvalidMeasurement(DeliveryError):
    """A file does not hold what `python -m benchmarks cold-start` writes."""

    reason = "INVALID_MEASUREMENT"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} holds no measurement: {why}", path=path, why=why)


class NoCandidate(DeliveryError):
    """The registry has no model to deliver."""

    reason = "NO_CANDIDATE"

    def __init__(self) -> None:
        super().__init__("the registry has neither a challenger nor a champion; gif-train register makes one")


class InvalidAnswers(DeliveryError):
    """A file or log cannot be read, or the line of an answer in it is damaged."""

    reason = "INVALID_ANSWERS"

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}", path=path, why=why)


class TooFewAnswers(DeliveryError):
    """There are too few answers of a model to say whether it has drifted."""

    reason = "TOO_FEW_ANSWERS"

    def __init__(self, what: str, model: str, *, found: int, least: int, others: str = "") -> None:
        beside = f"; it has answers of {others}" if others else ""
        super().__init__(
            f"{what} has {found} answers of model {model}, {least} are needed{beside}",
            what=what,
            model=model,
            found=str(found),
            least=str(least),
        )
