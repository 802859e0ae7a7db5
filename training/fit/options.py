"""Every setting of a fit: **JSON** <-> **FitOptions**, frozen and checked.

The defaults are the recipe of the packaged model's first form: a linear head on frozen features. A file
holds only what differs from them.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from training.errors import InvalidOptions
from training.network.head import Tap
from training.settings import YAML, section

LinearKind = Literal["ridge", "logistic"]
LINEAR: tuple[str, ...] = get_args(LinearKind)
Devices = Literal["one", "all", "hosts"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True)
class PartOptions:
    """How one part of a frame's vector is made of a tap; see `training.network.head.Part`.

    Attributes:
        tap: BLOCK/mean or BLOCK/deviation.
        standardise: whether each number is brought to mean 0 and deviation 1 over the training frames.
        unit: whether the part is scaled to length 1.
        weight: of the part.
    """

    tap: str = "top/mean"
    standardise: bool = False
    unit: bool = True
    weight: float = 1.0


@dataclass(frozen=True)
class TuneOptions:
    """How the top of the image network is trained further; off while `blocks` is 0.

    Attributes:
        blocks: how many of the backbone's last blocks are trained, "top" counts as one.
        epochs: passes over the training clips, at most.
        batch: clips in a step.
        frames: of each clip in a step, drawn anew each time, 1..10.
        learning_rate: of the network, at its peak; a tenth of the steps warms up, then a cosine falls to 0.
        head_factor: by how much faster the head learns.
        weight_decay: as AdamW's.
        label_smoothing: share of a label given to all shows alike.
        dropout: of the clip vector.
        patience: epochs without a better loss on held-out groups after which to stop; 0 trains all epochs
            on all clips.
        holdout: share of each show held out for that.
        probe: whether the head begins as the linear head that is fitted on the frozen network (Kumar et
            al., "Fine- Tuning can Distort Pretrained Features", ICLR 2022); else it begins at 0.
        average: at the end of how many of the last epochs the weights are averaged (after Cha et al.,
            "SWAD", NeurIPS 2021); 1 takes those of the last epoch. It takes all epochs, so patience must be
            0.
    """

    blocks: int = 0
    epochs: int = 8
    batch: int = 16
    frames: int = 2
    learning_rate: float = 2e-4
    head_factor: float = 10.0
    weight_decay: float = 1e-2
    label_smoothing: float = 0.1
    dropout: float = 0.3
    patience: int = 0
    holdout: float = 0.15
    probe: bool = False
    average: int = 1


@dataclass(frozen=True)
class Hardware:
    """What fine-tuning computes with; see `training.fit.hardware`.

    Attributes:
        devices: "one"; "all" spreads each step over the GPUs of this machine, "hosts" over those of several
            machines, which TF_CONFIG names.
        precision: "float32", or a mixed one, which a GPU computes faster; on a CPU it is off.
    """

    devices: Devices = "one"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for option, found, known in (
            ("devices", self.devices, get_args(Devices)),
            ("precision", self.precision, get_args(Precision)),
        ):
            if found not in known:
                raise InvalidOptions(option, expected=f"one of {', '.join(known)}", found=str(found))

    @classmethod
    def read(cls, path: Path) -> Hardware:
        """Read the section `hardware` of a YAML file.

        Raises:
            InvalidOptions: the file cannot be read, a name is unknown or a value is.
        """
        return cls.from_json(section(path, "hardware"))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Hardware:
        """Read settings; what is not named keeps its default.

        Raises:
            InvalidOptions: a name or a value is unknown.
        """
        made: Hardware = _make(cls, values, "hardware")
        return made


@dataclass(frozen=True)
class FitOptions:
    """One fit.

    Attributes:
        backbone: name of the image network.
        parts: of a frame's vector.
        linear: "ridge" in closed form or "logistic" regression; where fine-tuning is on, it only finds the
            head that fine-tuning begins with, if it begins with one.
        regularisation: ridge: share of the mean variance added to each direction's; logistic: 1 / C.
        balance: 0 weighs every clip alike, 1 every show.
        source_balance: 0 weighs the sources of a show by their clips, 1 all alike.
        mirror: whether the head also learns from every clip mirrored.
        views: from how many augmented copies of each clip it learns.
        strength: of the augmentation, 0..1.
        refused: share of known clips that the threshold may call unknown.
        folds: in how many parts the clips are dealt, by source, to fit temperature and threshold on clips
            that were not learned from.
        tune: the network's top.
        seed: of everything drawn.
    """

    backbone: str = "efficientnet-lite0"
    parts: tuple[PartOptions, ...] = (PartOptions(),)
    linear: LinearKind = "logistic"
    regularisation: float = 0.02
    balance: float = 0.5
    source_balance: float = 0.0
    mirror: bool = True
    views: int = 0
    strength: float = 1.0
    refused: float = 0.1
    folds: int = 6
    tune: TuneOptions = field(default_factory=TuneOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        for ok, option, expected, found in (
            (bool(self.parts), "parts", "at least one", "none"),
            (self.linear in LINEAR, "linear", f"one of {', '.join(LINEAR)}", self.linear),
            (self.regularisation > 0, "regularisation", "above 0", self.regularisation),
            (0 <= self.balance <= 1, "balance", "in 0..1", self.balance),
            (0 <= self.source_balance <= 1, "source_balance", "in 0..1", self.source_balance),
            (self.views >= 0, "views", "at least 0", self.views),
            (0 <= self.strength <= 1, "strength", "in 0..1", self.strength),
            (0 <= self.refused < 1, "refused", "in 0..1", self.refused),
            (self.folds >= 2, "folds", "at least 2", self.folds),
            (1 <= self.tune.frames <= 10, "tune.frames", "in 1..10", self.tune.frames),
            (self.tune.epochs >= 1, "tune.epochs", "at least 1", self.tune.epochs),
            (self.tune.batch >= 1, "tune.batch", "at least 1", self.tune.batch),
            (self.tune.learning_rate > 0, "tune.learning_rate", "above 0", self.tune.learning_rate),
            (self.tune.head_factor > 0, "tune.head_factor", "above 0", self.tune.head_factor),
            (0 <= self.tune.dropout < 1, "tune.dropout", "in 0..1", self.tune.dropout),
            (self.tune.blocks >= 0, "tune.blocks", "at least 0", self.tune.blocks),
            (
                1 <= self.tune.average <= (1 if self.tune.patience else self.tune.epochs),
                "tune.average",
                "in 1..epochs, and 1 with patience",
                self.tune.average,
            ),
        ):
            if not ok:
                raise InvalidOptions(option, expected=expected, found=str(found))

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Where numbers are taken from the network, each place once."""
        return tuple(dict.fromkeys(Tap.parse(part.tap) for part in self.parts))

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON holds them."""
        values: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self), default=dict))
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FitOptions:
        """Read settings; what is not named keeps its default.

        Raises:
            InvalidOptions: a name is unknown, or a value is out of its range or of another kind.
        """
        settings = dict(values)
        try:
            if "parts" in settings:
                settings["parts"] = tuple(_make(PartOptions, part, "parts") for part in settings["parts"])
            if "tune" in settings:
                settings["tune"] = _make(TuneOptions, settings["tune"], "tune")
            made: FitOptions = _make(cls, settings, "options")
        except TypeError as error:  # a comparison between a number and something else
            raise InvalidOptions(
                "options", expected="values of the kinds documented", found=str(error)
            ) from error
        return made

    @classmethod
    def read(cls, path: Path) -> FitOptions:
        """Read a JSON file of settings, or the section `fit` of a YAML file.

        Raises:
            InvalidOptions: as `from_json`; also when the file cannot be read or is not a JSON object.
        """
        if path.suffix in YAML:
            return cls.from_json(section(path, "fit"))
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidOptions(str(path), expected="a JSON file of settings", found=str(error)) from error
        if not isinstance(values, dict):
            raise InvalidOptions(str(path), expected="a JSON object", found=type(values).__name__)
        return cls.from_json(values)


def _make(kind: Any, values: Any, name: str) -> Any:
    if not isinstance(values, Mapping):
        raise InvalidOptions(name, expected="an object", found=str(values))
    known = {entry.name for entry in dataclasses.fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InvalidOptions(name, expected=f"of {', '.join(sorted(known))}", found=", ".join(unknown))
    return kind(**values)
