"""The model is not usable, or not there."""

from __future__ import annotations

from services.errors.base import AnalyzerError


class ModelError(AnalyzerError):
    """A file is not a model that takes a clip and names shows."""

    reason = "MODEL_ERROR"
    grpc_code = "FAILED_PRECONDITION"
    http_status = 500

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"not a usable model: {path}: {why}", path=path, why=why)


class ModelNotFound(AnalyzerError):
    """A service was asked for a model that it does not serve."""

    reason = "MODEL_NOT_FOUND"
    grpc_code = "NOT_FOUND"
    http_status = 404

    def __init__(self, name: str, version: str, *, served: str) -> None:
        asked = f"{name} {version}".strip() or "without a name"
        super().__init__(
            f"no such model: {asked}; this service has {served}", name=name, version=version, served=served
        )
