"""The ways to learn that were tried, by name: each judged on the same folds, reported in one table.

`RECIPES` can be fitted and exported; `TRIALS` are these, and ways that take more than one model or one look
at a clip and so are judged only. `BASELINE` is what most tutorials do: ten frames by index, padded to a
square, one dense layer on frozen features, mean of the logits. `CHOSEN` is what the default model is trained
with, and `INT8` how it is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from training.data.view import CROPS, MIRRORED, PLAIN, View
from training.fit.options import FitOptions, NeighbourOptions, PartOptions, TuneOptions

BASELINE = "plain recipe"
CHOSEN = "all depths, fine-tuned"
INT8 = f"{CHOSEN}, int8"

# The last block of each size of feature map: 56, 28, 14 and 7 pixels. What makes a show look like itself is
# not only what is in the picture but how it is drawn, lit and graded; that stands in the mean and the spread
# of the channels at every depth (as in Huang & Belongie, "Arbitrary Style Transfer in Real-time with Adaptive
# Instance Normalization", ICCV 2017).
_DEPTHS = MappingProxyType(
    {
        "efficientnet-lite0": ("block03", "block05", "block11", "block16"),
        "efficientnet-lite2": ("block04", "block07", "block15", "block21"),
    }
)


def _depths(backbone: str, shallow: float, deep: float) -> tuple[PartOptions, ...]:
    """The top features at length 12, and the statistics of all depths, standardised, with these weights."""
    *below, last = _DEPTHS[backbone]
    statistics = [
        PartOptions(f"{block}/{statistic}", standardise=True, unit=False, weight=weight)
        for block, weight in (*((block, shallow) for block in below), (last, deep))
        for statistic in ("mean", "deviation")
    ]
    return (PartOptions(weight=12.0), *statistics)


_UNIT = FitOptions(mirror=False, balance=0.0)
_BALANCED = replace(_UNIT, balance=1.0)
_RIDGE = replace(_BALANCED, linear="ridge", regularisation=1.0)
_ALL_DEPTHS = replace(_RIDGE, parts=_depths("efficientnet-lite0", 0.3, 0.3))
_TUNED = replace(_BALANCED, balance=0.5, mirror=True, views=6, tune=TuneOptions(blocks=6))

RECIPES: Mapping[str, FitOptions] = MappingProxyType(
    {
        BASELINE: replace(_UNIT, parts=(PartOptions(unit=False),), regularisation=0.001),
        "by time, cropped, squashed": replace(_UNIT, parts=(PartOptions(unit=False),), regularisation=0.001),
        "unit features": _UNIT,
        "balanced": _BALANCED,
        "balanced, strongly regularised": replace(_BALANCED, regularisation=0.2),
        "balanced, mirrored view": replace(_BALANCED, mirror=True),
        "root of the mean": replace(_BALANCED, parts=(PartOptions(power=0.5),), pooling="clip"),
        "whitened": replace(_BALANCED, parts=(PartOptions(whiten=1.0),), regularisation=0.2),
        "ridge": _RIDGE,
        "ridge beside neighbours": replace(_RIDGE, neighbours=NeighbourOptions(weight=0.05)),
        "nearest neighbours alone": replace(
            _BALANCED,
            parts=(PartOptions(whiten=1.0),),
            linear="none",
            neighbours=NeighbourOptions(weight=1.0),
        ),
        "Lite2": replace(_BALANCED, backbone="efficientnet-lite2"),
        "all depths": _ALL_DEPTHS,
        "all depths, augmented": replace(_ALL_DEPTHS, mirror=True, views=6),
        "all depths of Lite2": replace(
            _ALL_DEPTHS, backbone="efficientnet-lite2", parts=_depths("efficientnet-lite2", 0.3, 0.3)
        ),
        "top features, fine-tuned": replace(_TUNED, parts=(PartOptions(weight=12.0),)),
        "all depths of Lite2, fine-tuned": replace(
            _TUNED,
            backbone="efficientnet-lite2",
            parts=_depths("efficientnet-lite2", 0.15, 0.05),
            tune=TuneOptions(blocks=7),
        ),
        CHOSEN: replace(_TUNED, parts=_depths("efficientnet-lite0", 0.15, 0.05), familiarity={"energy": 1.0}),
    }
)


@dataclass(frozen=True)
class Trial:
    """One way to judge clips.

    Attributes:
        recipe: what is fitted.
        looks: under which views a clip is looked at; the logits are averaged.
        teachers: recipes whose held-out answers are learned beside the labels, as in distillation.
        int8: whether what was learned answers in whole numbers.
    """

    recipe: str
    looks: tuple[View, ...] = (PLAIN,)
    teachers: tuple[str, ...] = ()
    int8: bool = False


_FIVE_CROPS = tuple(View(crop=crop) for crop in range(1, CROPS + 1))

TRIALS: Mapping[str, Trial] = MappingProxyType(
    {
        **{name: Trial(name) for name in RECIPES},
        "all depths, mirrored look too": Trial("all depths", looks=(PLAIN, MIRRORED)),
        "all depths, five crops too": Trial("all depths", looks=(PLAIN, *_FIVE_CROPS)),
        INT8: Trial(CHOSEN, int8=True),
        f"{CHOSEN}, mirrored look too": Trial(CHOSEN, looks=(PLAIN, MIRRORED)),
        f"{CHOSEN}, taught by Lite0 and Lite2": Trial(CHOSEN, teachers=("all depths", "all depths of Lite2")),
    }
)
