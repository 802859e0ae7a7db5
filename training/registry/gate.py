"""Whether a challenger may replace the champion: **answers of both to the same clips** -> **Verdict**.

| check | passes when |
|---|---|
| held out | the challenger did not learn from exactly this set; of a part of it nothing is known here |
| accuracy | its top-1 accuracy is at most `margin` below the champion's |
| every show | no show lost more than `show_margin`, beyond what chance explains |
| calibration | its expected calibration error is at most `max_ece`, or the champion's where that is larger |
| size | its file has at most `max_bytes` |

A show of twelve clips loses 0.08 by a single one, so a margin alone would refuse every second model. A show
counts as lost when its accuracy fell by more than the margin *and* the 95 % interval of the paired
difference, drawn by group, lies below 0. Shows of fewer than `min_clips` clips are judged together as one. A
show whose clips are all of one group has no interval: there the margin alone decides.

Overall, the difference itself is held to the margin, not the end of its interval: with a few hundred clips
that would refuse most models that are as good. Where the interval reaches below the margin, the verdict says
so.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.registry.contender import Contender, EvaluationSet
from training.registry.gate_options import GateOptions
from training.registry.verdict import Check, Figure, ShowChange, Verdict
from training.statistics.calibration import ece_by_chance, measure_calibration
from training.statistics.comparison import paired_difference
from training.statistics.estimate import Bootstrap, Estimate
from training.statistics.metrics import mean_of_shows, top_k_correct


def judge(
    asked: EvaluationSet,
    challenger: Contender,
    champion: Contender | None,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - a frozen value
    champion_evaluation_sha256: str = "",
) -> Verdict:
    """Decide whether the challenger may replace the champion.

    Args:
        asked: the clips, and what is true of them.
        challenger: what it answered.
        champion: what that answered; None where there is none yet: then only what needs no second model is
            checked.
        options: what the challenger is held to.
        champion_evaluation_sha256: digest of the set that the champion was let in on; "" where unknown.
    """
    bootstrap = Bootstrap(options.resamples, options.seed)
    remarks = list(asked.remarks)
    ece = measure_calibration(challenger.probabilities, asked.labels).ece
    learned = challenger.training_data_sha256 == asked.evaluation_sha256
    checks = [
        Check(
            "held out", not learned, "learned from it" if learned else "learned from another", "another set"
        )
    ]
    change: Estimate | None = None
    shows: tuple[ShowChange, ...] = ()
    # With few clips even a well calibrated model may be further off: that is no fault of the challenger.
    bound = max(options.max_ece, ece_by_chance(challenger.probabilities, seed=options.seed))
    if champion is None:
        remarks.append("There is no champion yet: only what needs no comparison was checked.")
    else:
        bound = max(bound, measure_calibration(champion.probabilities, asked.labels).ece)
        right = top_k_correct(challenger.probabilities, asked.labels, 1)
        before = top_k_correct(champion.probabilities, asked.labels, 1)
        change = paired_difference(right, before, groups=asked.groups, bootstrap=bootstrap)
        shows = _show_changes(asked, right, before, options, bootstrap)
        lost = [each for each in shows if each.lost]
        checks += [
            Check(
                "accuracy",
                _at_least(change.value, -options.margin),
                change.signed(),
                f"at least {-options.margin:+.3f}",
            ),
            Check(
                "every show",
                not lost,
                "; ".join(f"{each.show} {each.change.signed()}" for each in lost) or "none lost",
                f"none beyond chance below {-options.show_margin:+.3f}",
            ),
        ]
        remarks += _remarks(asked, change, champion_evaluation_sha256, options)
        if challenger.sha256 == champion.sha256:
            remarks.append("Both versions hold the same file.")
    checks += [
        Check("calibration", _at_least(bound, ece), f"ECE {ece:.3f}", f"at most {bound:.3f}"),
        Check(
            "size",
            challenger.size_bytes <= options.max_bytes,
            f"{challenger.size_bytes:,} bytes",
            f"at most {options.max_bytes:,}",
        ),
    ]
    return Verdict(
        challenger=challenger.version,
        champion=champion.version if champion else None,
        challenger_sha256=challenger.sha256,
        evaluation_sha256=asked.evaluation_sha256,
        clips=len(asked.labels),
        passed=all(check.passed for check in checks),
        change=change,
        checks=tuple(checks),
        figures=_figures(asked, challenger, champion),
        shows=shows,
        remarks=tuple(remarks),
        options=options,
    )


def _show_changes(
    asked: EvaluationSet,
    right: NDArray[np.bool_],
    before: NDArray[np.bool_],
    options: GateOptions,
    bootstrap: Bootstrap,
) -> tuple[ShowChange, ...]:
    """Each show with enough clips, and the others together, the worst first."""
    counts = np.bincount(asked.labels, minlength=len(asked.shows))
    places = {asked.shows[show]: asked.labels == show for show in np.flatnonzero(counts >= options.min_clips)}
    small = counts[asked.labels] < options.min_clips
    if small.any():
        places[f"shows of fewer than {options.min_clips} clips, together"] = small
    found = []
    for show, chosen in places.items():
        change = paired_difference(
            right[chosen], before[chosen], groups=asked.groups[chosen], bootstrap=bootstrap
        )
        below = not _at_least(change.value, -options.show_margin)
        by_chance = math.isfinite(change.high) and change.high >= 0
        found.append(
            ShowChange(
                show=show,
                clips=int(chosen.sum()),
                champion=float(before[chosen].mean()),
                challenger=float(right[chosen].mean()),
                change=change,
                lost=below and not by_chance,
            )
        )
    return tuple(sorted(found, key=lambda each: each.change.value))


def _remarks(asked: EvaluationSet, change: Estimate, champions: str, options: GateOptions) -> list[str]:
    remarks = []
    if not math.isfinite(change.low):
        remarks.append("All clips are of one group: there is no interval, and little to learn from it.")
    elif change.low < -options.margin:
        remarks.append(
            f"The interval of the change reaches {change.low:+.3f}: {len(asked.labels)} clips do not rule "
            f"out a loss of more than {options.margin:.3f}."
        )
    if champions and champions != asked.evaluation_sha256:
        remarks.append(
            f"The champion was let in on another evaluation set ({champions[:12]}): figures of then and now "
            "do not compare. Both models answered this set."
        )
    return remarks


def _figures(asked: EvaluationSet, challenger: Contender, champion: Contender | None) -> tuple[Figure, ...]:
    def all_of(contender: Contender) -> tuple[float, ...]:
        calibration = measure_calibration(contender.probabilities, asked.labels)
        one = np.ones((1, len(asked.labels)))
        return (
            calibration.accuracy,
            float(mean_of_shows(contender.probabilities, asked.labels)(one)[0]),
            calibration.ece,
            float(contender.known.mean()),
            contender.size_bytes / 1e6,
            float(np.median(contender.latency_ms)),
        )

    names = (
        ("top-1 accuracy", 3),
        ("mean of shows", 3),
        ("expected calibration error", 3),
        ("called known", 3),
        ("size, MB", 1),
        ("p50 latency, ms", 1),
    )
    ours = all_of(challenger)
    theirs = all_of(champion) if champion else (math.nan,) * len(names)
    return tuple(
        Figure(name, before, now, digits)
        for (name, digits), before, now in zip(names, theirs, ours, strict=True)
    )


def _at_least(value: float, bound: float) -> bool:
    """Whether a value reaches a bound; rounding must not decide: 0.58 - 0.60 is -0.02000000000000002."""
    return value >= bound - 1e-9
