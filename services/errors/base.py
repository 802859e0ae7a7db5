"""What every error is: a reason for programs, a message for people, details for both."""

from __future__ import annotations

from typing import ClassVar

DOMAIN = "gif-analyzer"  # of google.rpc.ErrorInfo: the reasons are unique within it


class AnalyzerError(Exception):
    """The base of the family: a reason for programs, a message for people, details for both.

    Attributes:
        reason: UPPER_SNAKE_CASE, stable across versions.
        grpc_code: name of a gRPC status code.
        http_status: 400..599.
        details: what the message says, as values by name.
    """

    reason: ClassVar[str]
    grpc_code: ClassVar[str]
    http_status: ClassVar[int]

    def __init__(self, message: str, **details: str) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    @classmethod
    def restore(cls, message: str, details: dict[str, str]) -> AnalyzerError:
        """Make the error again from what a wire carried of it."""
        error = cls.__new__(cls)
        AnalyzerError.__init__(error, message, **details)
        return error


def catalogue() -> dict[str, type[AnalyzerError]]:
    """Every class that carries a reason, by that reason."""
    found: dict[str, type[AnalyzerError]] = {}
    waiting = [AnalyzerError]
    while waiting:
        error = waiting.pop()
        waiting.extend(error.__subclasses__())
        if "reason" in vars(error):
            found[error.reason] = error
    return found
