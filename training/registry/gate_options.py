"""What a challenger is held to: **YAML or JSON** -> **GateOptions**, used by training/registry/gate.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import InvalidOptions

SECTION = "gate"  # of a file that holds the settings of other steps as well


@dataclass(frozen=True)
class GateOptions:
    """What a challenger is held to.

    Attributes:
        margin: of top-1 accuracy overall, 0..1.
        show_margin: of top-1 accuracy of one show, 0..1.
        min_clips: that a show needs to be judged by itself, at least 1.
        max_ece: expected calibration error, 0..1.
        max_bytes: of the file.
        resamples: of the bootstrap, at least 100.
        seed: of the bootstrap.
    """

    margin: float = 0.02
    show_margin: float = 0.10
    min_clips: int = 10
    max_ece: float = 0.10
    max_bytes: int = 14_000_000
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        for ok, option, expected, found in (
            (0 <= self.margin <= 1, "margin", "in 0..1", self.margin),
            (0 <= self.show_margin <= 1, "show_margin", "in 0..1", self.show_margin),
            (self.min_clips >= 1, "min_clips", "at least 1", self.min_clips),
            (0 <= self.max_ece <= 1, "max_ece", "in 0..1", self.max_ece),
            (self.max_bytes >= 1, "max_bytes", "at least 1", self.max_bytes),
            (self.resamples >= 100, "resamples", "at least 100", self.resamples),
        ):
            if not ok:
                raise InvalidOptions(f"{SECTION}.{option}", expected=expected, found=str(found))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GateOptions:
        """Read settings; what is not named keeps its default.

        Raises:
            InvalidOptions: a name is unknown, or a value is out of its range or of another kind.
        """
        known = {field.name: field.default for field in dataclasses.fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise InvalidOptions(SECTION, expected=f"of {', '.join(known)}", found=str(name))
            kinds = (int,) if isinstance(known[name], int) else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise InvalidOptions(f"{SECTION}.{name}", expected="a number", found=repr(value))
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> GateOptions:
        """Read a YAML or JSON file of settings: these alone, or under `gate` beside those of other steps.

        Raises:
            InvalidOptions: as `from_json`; also when the file cannot be read as settings.
        """
        import yaml  # noqa: PLC0415 - comes with MLflow

        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidOptions(str(path), expected="a file of settings", found=str(error)) from error
        if isinstance(values, dict) and SECTION in values:
            values = values[SECTION]
        if not isinstance(values, dict):
            raise InvalidOptions(str(path), expected="settings by name", found=type(values).__name__)
        return cls.from_json(values)
