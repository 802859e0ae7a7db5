"""The door of the environment: variables -> frozen `Settings`. Nothing else reads the environment.

| variable | setting | default |
|---|---|---|
| `GIF_ANALYZER_MODEL` | model file | the packaged one |
| `GIF_ANALYZER_THREADS` | threads that one classification may use | 1 |
| `GIF_ANALYZER_MAX_BYTES` | size of a GIF, in bytes | 25,000,000 |
| `GIF_ANALYZER_MAX_CANVAS_PIXELS` | width x height of a GIF, in pixels | 16,000,000 |
| `GIF_ANALYZER_MAX_FRAMES` | frames of a GIF | 5,000 |
| `GIF_ANALYZER_MAX_DECODED_PIXELS` | pixels to decode for one clip | 1,000,000,000 |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from services.errors import InvalidSetting
from services.inference import default_model_path
from services.preprocess import Budget

PREFIX = "GIF_ANALYZER_"


@dataclass(frozen=True)
class Settings:
    """What may be set from outside.

    Attributes:
        model: path of the model file.
        threads: that one classification may use, at least 1.
        budget: what a GIF may cost.
    """

    model: Path = field(default_factory=default_model_path)
    threads: int = 1
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the variables above; one that is not set, or set to nothing, leaves its default.

        Raises:
            InvalidSetting: names the variable and what it must be.
        """
        defaults = cls()
        limits = {
            limit.name: _read_count(
                environ, PREFIX + limit.name.upper(), getattr(defaults.budget, limit.name)
            )
            for limit in fields(Budget)
        }
        return cls(
            model=Path(environ.get(PREFIX + "MODEL") or defaults.model),
            threads=_read_count(environ, PREFIX + "THREADS", defaults.threads),
            budget=Budget(**limits),
        )


def _read_count(environ: Mapping[str, str], variable: str, default: int) -> int:
    """Read a whole number, at least 1; underscores may part its digits."""
    text = environ.get(variable, "").strip()
    if not text:
        return default
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise InvalidSetting(variable, expected="a whole number, at least 1", found=text)
    return count
