"""Settings in files: reads a section of a YAML or JSON file, and checks its values with pydantic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from services.errors import os_reason
from services.reading import read_json, read_text
from training.errors import InvalidOptions
from training.files import parse_yaml

MAX_BYTES = 100_000  # of a file of settings
MAX_SHOWN = 200  # characters of a wrong value in a message

T = TypeVar("T")


def section(path: Path, name: str, *, may_be_whole: bool = False) -> Mapping[str, Any]:
    """Read one section of a YAML or JSON file; a missing section is empty.

    Args:
        path: of the file.
        name: of the section.
        may_be_whole: whether a file without the section is taken as the section itself.

    Raises:
        InvalidOptions: the file cannot be read, or the file or the section is not a mapping.
    """
    try:
        if path.suffix == ".json":
            values = read_json(path, most=MAX_BYTES)
        else:
            values = parse_yaml(read_text(path, most=MAX_BYTES))
    except (OSError, ValueError) as error:
        expected = "a file of settings in YAML or JSON"
        raise InvalidOptions(str(path), expected=expected, found=f"none: {os_reason(error)}") from error
    if not isinstance(values, dict):
        raise InvalidOptions(str(path), expected="a mapping of settings", found=type(values).__name__)
    found = values if may_be_whole and name not in values else values.get(name) or {}
    if not isinstance(found, dict):
        raise InvalidOptions(name, expected="a mapping", found=type(found).__name__)
    return found


def checked(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    """Make a pydantic dataclass of values by name; one that is missing or null has its default.

    Args:
        kind: the class, which forbids unknown names.
        values: as a file holds them.
        name: of the section, for messages.

    Raises:
        InvalidOptions: a name is unknown, or a value is out of its range or of the wrong type.
    """
    try:
        return kind(**{str(key): value for key, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "unexpected_keyword_argument":
            known = ", ".join(kind.__dataclass_fields__)  # type: ignore[attr-defined]
            raise InvalidOptions(name, expected=f"of {known}", found=str(first["loc"][0])) from error
        option = ".".join([name, *map(str, first["loc"])])
        if first["type"] == "missing":
            raise InvalidOptions(option, expected="given", found="missing") from error
        words = first["msg"].rpartition(" should ")[2].replace(" after validation", "")
        expected = re.sub("^(have|match) ", "of ", words.removeprefix("be "))
        given = first["input"]
        # Collections are not quoted: written out, a few lines of YAML can be endless.
        shown = str(given)[:MAX_SHOWN] if isinstance(given, str | int | float) else type(given).__name__
        raise InvalidOptions(option, expected=expected, found=shown) from error
