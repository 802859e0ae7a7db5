"""Settings of one step in a file of all: **params.yaml, a section's name** -> **its values**."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.errors import InvalidOptions

YAML = (".yaml", ".yml")


def section(path: Path, name: str) -> Mapping[str, Any]:
    """Read one section of a YAML file; what is not there has only defaults.

    Raises:
        InvalidOptions: the file cannot be read, or it or the section is no mapping.
    """
    import yaml  # noqa: PLC0415 - comes with MLflow

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidOptions(str(path), expected="a YAML file of settings", found=str(error)) from error
    if not isinstance(values, dict):
        raise InvalidOptions(str(path), expected="a YAML mapping", found=type(values).__name__)
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidOptions(name, expected="a mapping", found=type(found).__name__)
    return found
