"""The settings of a fit, as a frozen dataclass that is read from JSON or YAML.

The defaults are the recipe of the packaged model's first version: a linear head on frozen features. A file
needs to hold only what differs from them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

from training.network.head import Tap
from training.settings import checked, section

LinearKind = Literal["ridge", "logistic"]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PartOptions:
    """How one part of a frame's vector is computed from a tap; see `training.network.head.Part`.

    Attributes:
        tap: BLOCK/mean, BLOCK/deviation or BLOCK/covariance.
        standardise: whether each number is brought to mean 0 and deviation 1 over the training frames.
        unit: whether the part is scaled to length 1.
        weight: factor on the part.
    """

    tap: str = "top/mean"
    standardise: bool = False
    unit: bool = True
    weight: float = 1.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class FitOptions:
    """The settings of one fit.

    Attributes:
        backbone: name of the image network.
        parts: of a frame's vector.
        linear: "ridge" regression in closed form, or "logistic" regression.
        regularisation: ridge: share of the mean variance added to each direction's; logistic: 1 / C.
        balance: 0 weighs every clip alike, 1 every show.
        source_balance: 0 weighs the sources of a show by their clips, 1 all alike.
        mirror: whether the head also learns from every clip mirrored.
        views: number of augmented copies of each clip that it also learns from.
        strength: of the augmentation, 0..1.
        refused: share of known clips that may fall below the threshold of unknown clips.
        folds: number of folds of whole sources, on which temperature and thresholds are found.
        seed: of the folds.
    """

    backbone: str = "efficientnet-lite0"
    parts: Annotated[tuple[PartOptions, ...], Field(min_length=1), Strict(False)] = (PartOptions(),)
    linear: LinearKind = "logistic"
    regularisation: Annotated[float, Field(gt=0)] = 0.02
    balance: Share = 0.5
    source_balance: Share = 0.0
    mirror: bool = True
    views: Annotated[int, Field(ge=0)] = 0
    strength: Share = 1.0
    refused: Annotated[float, Field(ge=0, lt=1)] = 0.1
    folds: Annotated[int, Field(ge=2)] = 6
    seed: int = 0

    @property
    def taps(self) -> tuple[Tap, ...]:
        """The taps of all parts, each once."""
        return tuple(dict.fromkeys(Tap.parse(part.tap) for part in self.parts))

    def to_json(self) -> dict[str, Any]:
        """All settings in JSON's own types."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FitOptions:
        """Read settings; a setting that is missing has its default.

        Raises:
            InvalidOptions: a name is unknown, or a value is out of its range or of the wrong type.
        """
        settings = dict(values)
        if isinstance(parts := settings.get("parts"), list | tuple):
            settings["parts"] = tuple(
                checked(PartOptions, part, "fit.parts") if isinstance(part, Mapping) else part
                for part in parts
            )
        return checked(cls, settings, "fit")

    @classmethod
    def read(cls, path: Path) -> FitOptions:
        """Read a JSON file of settings, or the section `fit` of a YAML file.

        Raises:
            InvalidOptions: as `from_json`; also when the file cannot be read or is no mapping.
        """
        return cls.from_json(section(path, "fit", may_be_whole=path.suffix == ".json"))
