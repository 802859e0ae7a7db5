"""Reads and checks the metadata strings of a model file.

| key | value |
|---|---|
| `contract` | `gif-analyzer/1` |
| `name`, `version` | which model this is |
| `shows` | JSON list of titles, in the order of the outputs |
| `clip_shape` | JSON list, `[10, 224, 224, 3]` |
| `unknown_threshold` | decimal number: a clip with less familiarity is unknown |
| `training_data_sha256` | 64 hexadecimal digits |
| `licence` | free text on the weights and the data |
| `verdict` | optional JSON: `{"show": 0.8, "one_of": 0.7, "kind": 0.9}`, see `VerdictRule` |
| `kinds` | optional JSON object: kind of picture by title, for all shows |
| `teaching` | optional, see `services.inference.library.teaching.TeachingBase` |
| `early_exit` | optional JSON: `{"frames": [2, 5, 8], "threshold": 0.9}`, see `EarlyExit` |
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from services.clip import CLIP_SHAPE
from services.errors import ModelError
from services.inference.library.teaching import TeachingBase
from services.inference.prediction import ModelInfo, VerdictRule
from services.inference.scoring import EarlyExit

CONTRACT = "gif-analyzer/1"
KEYS = (
    *("contract", "name", "version", "shows", "clip_shape"),
    *("unknown_threshold", "training_data_sha256", "licence"),
)


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata of a model file, checked.

    Attributes:
        info: name, version, data and licence.
        shows: titles, in the order of the outputs, without duplicates.
        unknown_threshold: finite; a clip with less familiarity is unknown.
        verdict: thresholds of the verdict; None if the file has none.
        kinds: kind of picture by show; None if the file has none.
        early_exit: rule for early exit; None if the file has none.
        teaching: what teaching new shows needs; None if the file has none.
    """

    info: ModelInfo
    shows: tuple[str, ...]
    unknown_threshold: float
    verdict: VerdictRule | None
    kinds: Mapping[str, str] | None
    early_exit: EarlyExit | None
    teaching: TeachingBase | None


def read_metadata(path: str, strings: Mapping[str, str]) -> ModelMetadata:
    """Check the metadata of the model file at `path`.

    Raises:
        ModelError: a key is missing, or its value does not fit the table above.
    """
    try:
        return _read(strings)
    except _InvalidError as error:
        raise ModelError(path, str(error)) from error


def write_early_exit(rule: EarlyExit) -> str:
    """Write the value of `early_exit`."""
    return json.dumps({"frames": list(rule.frames), "threshold": rule.threshold})


def write_verdict(rule: VerdictRule) -> str:
    """Write the value of `verdict`."""
    return json.dumps(dataclasses.asdict(rule))


class _InvalidError(Exception):
    """Metadata that do not fit the table; says what is wrong."""


def _read(strings: Mapping[str, str]) -> ModelMetadata:
    missing = [key for key in KEYS if not strings.get(key, "").strip()]
    if missing == list(KEYS):
        raise _InvalidError(f"it is some other ONNX model: it carries no metadata of {CONTRACT}")
    if missing:
        raise _InvalidError(f"its metadata lack {', '.join(missing)}")
    if strings["contract"] != CONTRACT:
        raise _InvalidError(f"it is made for contract {strings['contract']}, this program for {CONTRACT}")
    if _parse_json(strings["clip_shape"]) != list(CLIP_SHAPE):
        raise _InvalidError(f"its clip_shape must be {list(CLIP_SHAPE)}, it is {strings['clip_shape']}")
    digest = strings["training_data_sha256"]
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise _InvalidError(f"its training_data_sha256 must be 64 lower-case hex digits, it is {digest}")
    shows = _read_shows(strings["shows"])
    verdict, kinds, early_exit, teaching = (
        strings.get(key, "").strip() for key in ("verdict", "kinds", "early_exit", "teaching")
    )
    return ModelMetadata(
        info=ModelInfo(strings["name"], strings["version"], digest, strings["licence"]),
        shows=shows,
        unknown_threshold=_read_threshold(strings["unknown_threshold"]),
        verdict=_read_verdict(verdict) if verdict else None,
        kinds=_read_kinds(kinds, shows) if kinds else None,
        early_exit=_read_early_exit(early_exit) if early_exit else None,
        teaching=_read_teaching(teaching) if teaching else None,
    )


def _read_shows(text: str) -> tuple[str, ...]:
    shows = _parse_json(text)
    if not isinstance(shows, list) or not shows or not _are_texts(shows):
        raise _InvalidError(f"its shows must be a JSON list of titles, they are {text}")
    twice = sorted({show for show in shows if shows.count(show) > 1})
    if twice:
        raise _InvalidError(f"its shows must differ; more than once: {', '.join(twice)}")
    return tuple(shows)


def _read_threshold(text: str) -> float:
    try:
        threshold = float(text)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise _InvalidError(f"its unknown_threshold must be a finite number, it is {text}")
    return threshold


def _read_verdict(text: str) -> VerdictRule:
    found = _parse_object("verdict", text, "kind", "one_of", "show")
    if not all(type(value) in (int, float) for value in found.values()):
        raise _InvalidError(f"its verdict must hold numbers, it is {text}")
    try:
        return VerdictRule(**{name: float(value) for name, value in found.items()})
    except (ValueError, OverflowError) as error:
        raise _InvalidError(f"its verdict is invalid: {error}") from error


def _read_kinds(text: str, shows: tuple[str, ...]) -> Mapping[str, str]:
    found = _parse_json(text)
    if not isinstance(found, dict) or not _are_texts(found.values()):
        raise _InvalidError(f"its kinds must be a JSON object of titles and kinds, they are {text}")
    if set(found) != set(shows):
        odd = ", ".join(sorted(set(found) ^ set(shows)))
        raise _InvalidError(f"its kinds must name each of its shows once; not so: {odd}")
    return MappingProxyType(found)


def _read_early_exit(text: str) -> EarlyExit:
    found = _parse_object("early_exit", text, "frames", "threshold")
    frames, threshold = found["frames"], found["threshold"]
    whole = isinstance(frames, list) and all(type(frame) is int for frame in frames)
    if not whole or type(threshold) not in (int, float):
        raise _InvalidError(f"its early_exit must hold whole numbers and a threshold, it is {text}")
    try:
        return EarlyExit(tuple(frames), float(threshold))
    except (ValueError, OverflowError) as error:
        raise _InvalidError(f"its early_exit is invalid: {error}") from error


def _read_teaching(text: str) -> TeachingBase:
    try:
        return TeachingBase.unpack(text)
    except ValueError as error:
        raise _InvalidError(f"its teaching is invalid: {error}") from error


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


def _parse_object(key: str, text: str, *names: str) -> dict[str, Any]:
    """Parse a JSON object that has exactly these names."""
    found = _parse_json(text)
    if not isinstance(found, dict) or set(found) != set(names):
        raise _InvalidError(f"its {key} must be a JSON object of {', '.join(names)}, it is {text}")
    return found


def _parse_json(text: str) -> object:
    """Parse JSON; None if it is invalid, because the callers have better messages."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
