"""The temperature and thresholds of a model file, found on held-out answers or read from an evaluation.

Also reads the rule for early exit that `gif-train effort` found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.inference import EarlyExit, Verdict, VerdictRule
from services.inference.prediction import MOST_SHOWS, decide
from services.reading import read_json
from training.errors import InvalidRun
from training.statistics.calibration import fit_temperature, softmax
from training.statistics.openset import choose_threshold, largest_probability, odds_of_shows
from training.statistics.report import Result, Table, columns

# The shares that each level of an answer must keep; see `services.inference.prediction`.
SHOW_RIGHT = 0.90  # share of right answers on known clips for which one show is named, at least
SHOW_OF_OTHERS = 0.12  # share of the clips of other things for which one show is named, at most
ONE_OF_RIGHT = 0.90  # share of right answers on known clips for which several shows are named, at least
KIND_RIGHT = 0.95  # share of right answers on known clips for which a kind is named, at least
MARGIN = 0.01  # added to these shares, because thresholds do a little worse on new clips
LEAST_CLIPS = 30  # with a level, for its threshold to be meaningful
NEVER = 2.0  # a threshold that no clip reaches

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Operating(Result):
    """Temperature and thresholds of an exported model.

    Attributes:
        temperature: that logits are divided by.
        threshold: a less familiar clip is unknown.
        verdict: thresholds of the levels; None if there were no clips of other things to find them on.
    """

    temperature: float
    threshold: float
    verdict: VerdictRule | None

    def tables(self) -> tuple[Table, ...]:
        """One row."""
        headings = ["temperature", "unknown below"]
        row = [f"{self.temperature:.3f}", f"{self.threshold:.4g}"]
        if self.verdict:
            headings += ["a show from", "one of several from", "a kind from"]
            levels = self.verdict.show, self.verdict.one_of, self.verdict.kind
            row += ["never" if value >= NEVER else f"{value:.3f}" for value in levels]
        return (Table("For the model file", columns(*headings), (tuple(row),)),)

    @classmethod
    def read(cls, path: Path) -> Operating:
        """Read it from an evaluation.json.

        Raises:
            InvalidRun: the file is missing or something else.
        """
        try:
            values = read_json(path)["operating"]
            # Earlier evaluations lack it: their threshold is of another measure of familiarity.
            rule = values["verdict"]
            verdict = rule and VerdictRule(**{name: float(value) for name, value in rule.items()})
            temperature, threshold = float(values["temperature"]), float(values["threshold"])
            if not (0 < temperature < np.inf and np.isfinite(threshold)):
                raise ValueError(f"temperature {temperature}, threshold {threshold}")
            return cls(temperature, threshold, verdict or None)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            why = f"it is not an evaluation of this version: {error}"
            raise InvalidRun(str(path), why) from error

    def familiarity(self, logits: Doubles, shows: int) -> Doubles:
        """Familiarity, float64 [clip], of logits [clip, output]; see `Head.others`."""
        if logits.shape[1] == shows:
            return largest_probability(logits, temperature=self.temperature)
        return odds_of_shows(logits, temperature=self.temperature)

    def probabilities(self, logits: Doubles, shows: int) -> Doubles:
        """Probabilities of the shows, float64 [clip, show], of logits [clip, output]."""
        return softmax(logits[:, :shows], temperature=self.temperature)

    def joint(self, logits: Doubles, shows: int) -> Doubles:
        """Probability of each show with "none of these" as a choice, float64 [clip, show], of logits."""
        return softmax(logits, temperature=self.temperature)[:, :shows]

    def verdicts(
        self, logits: Doubles, shows: Sequence[str], kinds: Mapping[str, str] | None = None
    ) -> list[Verdict]:
        """The verdict on each clip, of logits [clip, output]."""
        if not len(logits):
            return []
        shares, familiarities = self.probabilities(logits, len(shows)), self.familiarity(logits, len(shows))
        return self.decide(zip(shares, familiarities, strict=True), shows, kinds)

    def decide(
        self,
        answers: Iterable[tuple[NDArray[np.floating[Any]], float]],
        shows: Sequence[str],
        kinds: Mapping[str, str] | None = None,
    ) -> list[Verdict]:
        """The verdict on each clip, of its probabilities, float [show], and its familiarity."""
        return [
            decide(
                tuple(shows),
                probabilities.astype(np.float32),
                float(familiarity),
                rule=self.verdict,
                unknown_threshold=self.threshold,
                kinds=kinds,
            )
            for probabilities, familiarity in answers
        ]


def find_operating(
    logits: Doubles,
    labels: NDArray[np.intp],
    shows: Sequence[str],
    *,
    kinds: Mapping[str, str] | None = None,
    refused: float = 0.1,
) -> Operating:
    """Find temperature and thresholds on answers to clips that were not learned from.

    Args:
        logits: float64 [clip, output], one output for each show, and a last one for "none of these" if the
            model learned from other things.
        labels: int [clip]; the number of shows for a clip of other things.
        shows: titles, in the order of the outputs.
        kinds: kind of picture by show; None if they have none.
        refused: share of known clips that may fall below the threshold.
    """
    count = len(shows)
    known = labels < count
    measured = fit_temperature(logits[known, :count], labels[known])
    operating = Operating(1.0 if measured.undetermined else measured.temperature, -np.inf, None)
    familiarity = operating.familiarity(logits, count)
    threshold = choose_threshold(familiarity[known], refused=refused)
    verdict = None
    if logits.shape[1] > count:
        verdict = _find_levels(
            operating.probabilities(logits, count),
            operating.joint(logits, count),
            labels,
            familiar=familiarity >= threshold,
            shows=shows,
            kinds=kinds,
        )
    return Operating(operating.temperature, threshold, verdict)


def _find_levels(
    shares: Doubles,
    joint_shares: Doubles,
    labels: NDArray[np.intp],
    *,
    familiar: Flags,
    shows: Sequence[str],
    kinds: Mapping[str, str] | None,
) -> VerdictRule:
    """The lowest thresholds with which the levels keep their shares, one level after another."""
    known = labels < len(shows)
    ranked = np.argsort(-shares, axis=1, kind="stable")[:, :MOST_SHOWS]
    joint = np.take_along_axis(joint_shares, ranked, axis=1)
    hit = ranked == labels[:, None]

    def level(
        right: Callable[[float], tuple[Flags, Flags]], candidates: Doubles, least: float, most: float
    ) -> float:
        """The lowest candidate at which the share of right answers and that of other clips are kept."""
        for value in np.unique(candidates):
            given, good = right(float(value))
            of_known = given & known
            if of_known.sum() < LEAST_CLIPS:
                break
            of_others = (given & ~known).sum() / max((~known).sum(), 1)
            if good[of_known].mean() >= least + MARGIN and of_others <= most:
                return float(value)
        return NEVER

    def one_show(value: float) -> tuple[Flags, Flags]:
        return familiar & (joint[:, 0] >= value), hit[:, 0]

    show = level(one_show, joint[familiar, 0], SHOW_RIGHT, SHOW_OF_OTHERS)
    left = familiar & (joint[:, 0] < show)
    sums = joint.cumsum(axis=1)

    def several(value: float) -> tuple[Flags, Flags]:
        enough = sums >= value
        enough[:, 0] = False  # at least two
        size = np.where(enough.any(axis=1), enough.argmax(axis=1), 0)
        return left & enough.any(axis=1), hit.cumsum(axis=1)[np.arange(len(hit)), size] > 0

    one_of = level(several, sums[left, 1:].ravel(), ONE_OF_RIGHT, 1.0)
    if not kinds:
        return VerdictRule(show, one_of, NEVER)
    names = sorted(set(kinds.values()))
    kind_of = np.array([names.index(kinds[name]) for name in shows])
    by_kind = np.stack([shares[:, kind_of == number].sum(axis=1) for number in range(len(names))], axis=1)
    rest = left & ~several(one_of)[0]
    kind_right = by_kind.argmax(axis=1) == np.append(kind_of, -1)[labels]

    def one_kind(value: float) -> tuple[Flags, Flags]:
        return rest & (by_kind.max(axis=1) >= value), kind_right

    return VerdictRule(show, one_of, level(one_kind, by_kind.max(axis=1)[rest], KIND_RIGHT, 1.0))


def read_rule(path: Path) -> EarlyExit:
    """Read the rule of an effort.json.

    Raises:
        InvalidRun: the file is missing, something else, or found no rule.
    """
    try:
        rule = read_json(path)["rule"]
        found = None if rule is None else EarlyExit(tuple(map(int, rule["frames"])), float(rule["threshold"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidRun(str(path), f"it is not an effort.json: {error}") from error
    if found is None:
        raise InvalidRun(str(path), "it found no rule for early exit")
    return found
