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
from training.network.head import FAMILIARITY, FamiliarityKind, Pooling, Tap
from training.settings import YAML, section

LinearKind = Literal["ridge", "logistic", "none"]
LINEAR: tuple[str, ...] = get_args(LinearKind)
Devices = Literal["one", "all", "hosts"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True)
class PartOptions:
    """How one part of a frame's vector is made of a tap; see `training.network.head.Part`.

    Attributes:
        tap: BLOCK/mean or BLOCK/deviation.
        power: 0.5 takes square roots first.
        standardise: whether each number is brought to mean 0 and deviation 1 over the training frames.
        whiten: None, or the share of the mean variance that is added to each direction's before whitening,
            above 0.
        unit: whether the part is scaled to length 1.
        weight: of the part.
    """

    tap: str = "top/mean"
    power: float = 1.0
    standardise: bool = False
    whiten: float | None = None
    unit: bool = True
    weight: float = 1.0


@dataclass(frozen=True)
class NeighbourOptions:
    """How the nearest training clips take part; see `training.network.head.Bank`.

    Attributes:
        weight: of their votes among the logits; 0 leaves them out.
        sharpness: of the votes.
        neighbour: whose cosine is the familiarity "nearest".
    """

    weight: float = 0.0
    sharpness: float = 10.0
    neighbour: int = 1


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
        pooling: over time, see `training.network.head.Head`.
        linear: "ridge" in closed form, "logistic" regression, or "none", which leaves all to the neighbours;
            where fine-tuning is on, it finds the head itself.
        regularisation: ridge: share of the mean variance added to each direction's; logistic: 1 / C.
        balance: 0 weighs every clip alike, 1 every show.
        mirror: whether the head also learns from every clip mirrored.
        views: from how many augmented copies of each clip it learns.
        strength: of the augmentation, 0..1.
        neighbours: of the clip, among the training clips.
        familiarity: which measures make it up, and their weights.
        refused: share of known clips that the threshold may call unknown.
        folds: in how many parts the clips are dealt, by source, to fit temperature and threshold on clips
            that were not learned from.
        tune: the network's top.
        seed: of everything drawn.
    """

    backbone: str = "efficientnet-lite0"
    parts: tuple[PartOptions, ...] = (PartOptions(),)
    pooling: Pooling = "frames"
    linear: LinearKind = "logistic"
    regularisation: float = 0.02
    balance: float = 0.5
    mirror: bool = True
    views: int = 0
    strength: float = 1.0
    neighbours: NeighbourOptions = field(default_factory=NeighbourOptions)
    familiarity: Mapping[FamiliarityKind, float] = field(default_factory=lambda: {"probability": 1.0})
    refused: float = 0.1
    folds: int = 6
    tune: TuneOptions = field(default_factory=TuneOptions)
    seed: int = 0

    def __post_init__(self) -> None:
        for ok, option, expected, found in (
            (bool(self.parts), "parts", "at least one", "none"),
            (self.pooling in ("frames", "clip"), "pooling", "frames or clip", self.pooling),
            (self.linear in LINEAR, "linear", f"one of {', '.join(LINEAR)}", self.linear),
            (self.regularisation > 0, "regularisation", "above 0", self.regularisation),
            (0 <= self.balance <= 1, "balance", "in 0..1", self.balance),
            (self.views >= 0, "views", "at least 0", self.views),
            (0 <= self.strength <= 1, "strength", "in 0..1", self.strength),
            (0 <= self.refused < 1, "refused", "in 0..1", self.refused),
            (self.folds >= 2, "folds", "at least 2", self.folds),
            (bool(self.familiarity), "familiarity", "at least one measure", "none"),
            (set(self.familiarity) <= set(FAMILIARITY), "familiarity", f"of {FAMILIARITY}", self.familiarity),
            (1 <= self.tune.frames <= 10, "tune.frames", "in 1..10", self.tune.frames),
            (self.tune.epochs >= 1, "tune.epochs", "at least 1", self.tune.epochs),
            (self.tune.batch >= 1, "tune.batch", "at least 1", self.tune.batch),
            (self.tune.learning_rate > 0, "tune.learning_rate", "above 0", self.tune.learning_rate),
            (self.tune.head_factor > 0, "tune.head_factor", "above 0", self.tune.head_factor),
            (0 <= self.tune.dropout < 1, "tune.dropout", "in 0..1", self.tune.dropout),
            (self.tune.blocks >= 0, "tune.blocks", "at least 0", self.tune.blocks),
            (
                not self.tune.blocks or self.pooling == "frames",
                "pooling",
                "frames when blocks are fine-tuned",
                self.pooling,
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
            for name, kind in (("neighbours", NeighbourOptions), ("tune", TuneOptions)):
                if name in settings:
                    settings[name] = _make(kind, settings[name], name)
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
