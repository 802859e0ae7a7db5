"""What was given beside a GIF is not what it must be: a file, an argument, a clip, a setting."""

from __future__ import annotations

from services.errors.base import AnalyzerError


class UnreadableFile(AnalyzerError):
    """A file that was named cannot be read: it is missing, a directory, or not ours to open."""

    reason = "UNREADABLE_FILE"
    grpc_code = "NOT_FOUND"
    http_status = 404

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"cannot read the file: {why}", path=path, why=why)


class InvalidArgument(AnalyzerError):
    """A value given beside the GIF or the clip is out of its range."""

    reason = "INVALID_ARGUMENT"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid {field}: it must be {expected}, this is {found}",
            field=field,
            expected=expected,
            found=found,
        )


class InvalidClip(AnalyzerError):
    """A clip does not have the shape, the type or the range that both steps agreed on."""

    reason = "INVALID_CLIP"
    grpc_code = "INVALID_ARGUMENT"
    http_status = 400

    def __init__(self, field: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid clip: {field} must be {expected}, this is {found}",
            field=field,
            expected=expected,
            found=found,
        )


class InvalidSetting(AnalyzerError):
    """A variable of the environment holds what its setting cannot be; names the variable."""

    reason = "INVALID_SETTING"
    grpc_code = "FAILED_PRECONDITION"
    http_status = 500

    def __init__(self, variable: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"invalid setting: {variable} must be {expected}, it is {found!r}",
            variable=variable,
            expected=expected,
            found=found,
        )


class UnknownSetting(InvalidSetting):
    """A variable of the environment is named like a setting and is none; names the nearest one."""

    reason = "UNKNOWN_SETTING"

    def __init__(self, variable: str, *, nearest: str | None) -> None:
        did_you_mean = f"; did you mean {nearest}?" if nearest else ""
        AnalyzerError.__init__(
            self, f"unknown setting: {variable}{did_you_mean}", variable=variable, nearest=nearest or ""
        )
