"""The registry that commands work on: **MLflow's environment variables** -> **Registry**."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.registry.versions import Registry


def open_registry() -> Registry:
    """Open the model registry that MLflow's environment variables name."""
    from training.registry.versions import Registry, RegistrySettings  # noqa: PLC0415 - it loads ONNX Runtime

    return Registry(RegistrySettings.from_env())
