"""What a model file says of itself: its metadata strings -> checked values.

| key | value |
|---|---|
| `contract` | `gif-analyzer/1` |
| `name`, `version` | which model this is |
| `shows` | JSON list of titles, in the order of the outputs |
| `clip_shape` | JSON list, `[10, 224, 224, 3]` |
| `unknown_threshold` | decimal number: a clip that is less familiar is unknown |
| `training_data_sha256` | 64 hexadecimal digits |
| `licence` | free text on the weights and the data |
| `verdict` | may be absent; JSON: `{"show": 0.8, "one_of": 0.7, "kind": 0.9}`, see `VerdictRule` |
| `kinds` | may be absent; JSON object: kind of picture by title, for all shows |
| `early_exit` | may be absent; JSON: `{"frames": [2, 5, 8], "threshold": 0.9}`, see `EarlyExit` |
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.clip import CLIP_SHAPE
from services.errors import ModelError
from services.inference.look import EarlyExit
from services.inference.prediction import ModelInfo
from services.inference.verdict import VerdictRule

CONTRACT = "gif-analyzer/1"
KEYS = (
    "contract",
    "name",
    "version",
    "shows",
    "clip_shape",
    "unknown_threshold",
    "training_data_sha256",
    "licence",
)


@dataclass(frozen=True)
class ModelMetadata:
    """The metadata of a model file, checked.

    Attributes:
        info: name, version, data and licence.
        shows: titles, in the order of the outputs, each once.
        unknown_threshold: finite; a clip that is less familiar is unknown.
        verdict: thresholds of the levels of an answer; None where the file does not say.
        kinds: kind of picture by show; None where the file does not say.
        early_exit: when the first frames decide; None where the file does not say.
    """

    info: ModelInfo
    shows: tuple[str, ...]
    unknown_threshold: float
    verdict: VerdictRule | None
    kinds: Mapping[str, str] | None
    early_exit: EarlyExit | None


def read_metadata(path: str, strings: Mapping[str, str]) -> ModelMetadata:
    """Check the metadata of the model file at `path`.

    Raises:
        ModelError: a key is missing or its value is not what the table above says.
    """
    missing = [key for key in KEYS if not strings.get(key, "").strip()]
    if missing == list(KEYS):
        raise ModelError(path, f"it is some other ONNX model: it carries no metadata of {CONTRACT}")
    if missing:
        raise ModelError(path, f"its metadata lack {', '.join(missing)}")
    if strings["contract"] != CONTRACT:
        raise ModelError(path, f"it is made for contract {strings['contract']}, this program for {CONTRACT}")
    if _parse_json(strings["clip_shape"]) != list(CLIP_SHAPE):
        raise ModelError(path, f"its clip_shape must be {list(CLIP_SHAPE)}, it is {strings['clip_shape']}")
    digest = strings["training_data_sha256"]
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ModelError(path, f"its training_data_sha256 must be 64 lower-case hex digits, it is {digest}")
    shows = _read_shows(path, strings["shows"])
    return ModelMetadata(
        info=ModelInfo(strings["name"], strings["version"], digest, strings["licence"]),
        shows=shows,
        unknown_threshold=_read_threshold(path, strings["unknown_threshold"]),
        verdict=_read_verdict(path, strings.get("verdict", "")),
        kinds=_read_kinds(path, strings.get("kinds", ""), shows),
        early_exit=_read_early_exit(path, strings.get("early_exit", "")),
    )


def _read_shows(path: str, text: str) -> tuple[str, ...]:
    shows = _parse_json(text)
    if (
        not isinstance(shows, list)
        or not shows
        or not all(isinstance(show, str) and show.strip() for show in shows)
    ):
        raise ModelError(path, f"its shows must be a JSON list of titles, they are {text}")
    twice = sorted({show for show in shows if shows.count(show) > 1})
    if twice:
        raise ModelError(path, f"its shows must differ; more than once: {', '.join(twice)}")
    return tuple(shows)


def _read_threshold(path: str, text: str) -> float:
    try:
        threshold = float(text)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise ModelError(path, f"its unknown_threshold must be a finite number, it is {text}")
    return threshold


def _read_verdict(path: str, text: str) -> VerdictRule | None:
    if not text.strip():
        return None
    found = _parse_json(text)
    names = {field.name for field in dataclasses.fields(VerdictRule)}
    if not isinstance(found, dict) or set(found) != names:
        raise ModelError(
            path, f"its verdict must be a JSON object of {', '.join(sorted(names))}, it is {text}"
        )
    if not all(type(value) in (int, float) for value in found.values()):
        raise ModelError(path, f"its verdict must hold numbers, it is {text}")
    try:
        return VerdictRule(**{name: float(value) for name, value in found.items()})
    except (ValueError, OverflowError) as error:
        raise ModelError(path, f"its verdict is no rule: {error}") from error


def _read_kinds(path: str, text: str, shows: tuple[str, ...]) -> Mapping[str, str] | None:
    if not text.strip():
        return None
    found = _parse_json(text)
    if not isinstance(found, dict) or not all(
        isinstance(kind, str) and kind.strip() for kind in found.values()
    ):
        raise ModelError(path, f"its kinds must be a JSON object of titles and kinds, they are {text}")
    if set(found) != set(shows):
        odd = ", ".join(sorted(set(found) ^ set(shows)))
        raise ModelError(path, f"its kinds must name each of its shows once; not so: {odd}")
    return MappingProxyType(found)


def _read_early_exit(path: str, text: str) -> EarlyExit | None:
    if not text.strip():
        return None
    found = _parse_json(text)
    if not isinstance(found, dict) or set(found) != {"frames", "threshold"}:
        raise ModelError(path, f"its early_exit must be a JSON object of frames and threshold, it is {text}")
    frames, threshold = found["frames"], found["threshold"]
    whole = isinstance(frames, list) and all(type(frame) is int for frame in frames)
    if not whole or type(threshold) not in (int, float):
        raise ModelError(path, f"its early_exit must hold whole numbers and a threshold, it is {text}")
    try:
        return EarlyExit(tuple(frames), float(threshold))
    except (ValueError, OverflowError) as error:
        raise ModelError(path, f"its early_exit is no rule: {error}") from error


def write_early_exit(rule: EarlyExit) -> str:
    """Write what `read_metadata` reads as `early_exit`."""
    return json.dumps({"frames": list(rule.frames), "threshold": rule.threshold})


def write_verdict(rule: VerdictRule) -> str:
    """Write what `read_metadata` reads as `verdict`."""
    return json.dumps(dataclasses.asdict(rule))


def _parse_json(text: str) -> object:
    """Return what the JSON says, None where it is no JSON: the caller says what it should have been."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
