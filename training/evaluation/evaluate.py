"""Computes the figures that the model card quotes from the held-out answers of every recipe.

Nothing here learns from the clips it judges: temperature and thresholds for the clips of a fold are found on
the answers to the clips of the other folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.files import write_text
from training.data.clips import Clips
from training.data.splits import components
from training.evaluation.levels import (
    LevelReport,
    level_table,
    measure_known_and_others,
    measure_levels,
    verdicts_in_folds,
)
from training.files import write_json
from training.fit.crossvalidate import HeldOut
from training.fit.operating import Operating, find_operating
from training.statistics.calibration import CalibrationReport, fit_temperature, measure_calibration, softmax
from training.statistics.comparison import (
    AgreementReport,
    ComparisonReport,
    RobustnessReport,
    compare_systems,
    measure_agreement,
    measure_robustness,
)
from training.statistics.estimate import Bootstrap, Estimate, wilson
from training.statistics.metrics import AccuracyReport, CoverageReport, measure_accuracy, measure_coverage
from training.statistics.openset import (
    UnknownReport,
    energy,
    kl_matching,
    largest_probability,
    measure_unknown,
    odds_of_shows,
    unknown_table,
)
from training.statistics.plots import (
    plot_confusion,
    plot_coverage,
    plot_reliability,
    plot_robustness,
    plot_shows,
    plot_unknown,
)
from training.statistics.report import Table, columns, to_plain

Doubles = NDArray[np.float64]
OTHER_THINGS = "other things"
LEARNED = "none of these"  # the score that the model itself computes
SOURCE_CLIPS = 10  # a source with fewer clips has no row in the table


@dataclass(frozen=True)
class SourceAccuracy:
    """One source of known clips.

    Attributes:
        source: its name.
        clips: of known shows.
        accuracy: top-1, with Wilson's interval.
    """

    source: str
    clips: int
    accuracy: Estimate


@dataclass(frozen=True)
class Evaluation:
    """All figures of one evaluation.

    Attributes:
        accuracy: of the chosen recipe on clips of known shows, in folds of whole sources.
        sources: the same by source, the largest first.
        comparison: all recipes on the same clips.
        calibration: of the chosen recipe, before and after its temperature.
        unknown: one report for each score and set of other clips.
        levels: of answers to known clips, to other things and to shows left out.
        coverage: accuracy against the share of clips that are answered.
        robustness: of the chosen recipe on changed clips.
        operating: temperature and thresholds for the model file.
        agreement: of the served form of the chosen recipe with it; None if that was not judged.
    """

    accuracy: AccuracyReport
    sources: tuple[SourceAccuracy, ...]
    comparison: ComparisonReport
    calibration: Mapping[str, CalibrationReport]
    unknown: Sequence[UnknownReport]
    levels: Sequence[LevelReport]
    coverage: CoverageReport
    robustness: RobustnessReport
    operating: Operating
    agreement: AgreementReport | None = None

    def tables(self) -> list[Table]:
        """Every table, in the order of the model card."""
        return [
            *self.comparison.tables(),
            *self.accuracy.tables(),
            self._source_table(),
            *self.calibration["calibrated"].tables(),
            level_table(self.levels),
            *self.coverage.tables(),
            unknown_table(self.unknown),
            *self.robustness.tables(),
            *self.operating.tables(),
            *(self.agreement.tables() if self.agreement else ()),
        ]

    def write(self, folder: Path) -> None:
        """Write evaluation.json, evaluation.md and the plots."""
        plain = {name: value for name, value in to_plain(self).items() if value is not None}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "evaluation.json", plain, sort_keys=True, allow_nan=False)
        text = "\n\n".join(table.markdown() for table in self.tables())
        write_text(folder / "evaluation.md", text + "\n")
        plot_confusion(self.accuracy, folder / "confusion.png")
        plot_shows(self.accuracy, folder / "shows.png")
        plot_reliability(self.calibration, folder / "reliability.png")
        plot_coverage(self.coverage, folder / "coverage.png")
        plot_unknown(
            [each for each in self.unknown if each.score.startswith(LEARNED)], folder / "unknown.png"
        )
        plot_robustness(self.robustness, folder / "robustness.png")

    def _source_table(self) -> Table:
        return Table(
            "Sources",
            columns("source", "clips", "top-1 accuracy", text=["source"]),
            tuple(
                (each.source, str(each.clips), str(each.accuracy))
                for each in self.sources
                if each.clips >= SOURCE_CLIPS
            ),
            f"Sources with at least {SOURCE_CLIPS} clips of known shows; Wilson's intervals.",
        )


def evaluate(
    answers: Mapping[str, HeldOut],
    clips: Clips,
    *,
    baseline: str,
    chosen: str,
    changed: Mapping[str, NDArray[np.intp]],
    left_out: str | None = None,
    stand_in: str | None = None,
    mahalanobis: Doubles | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008  frozen
) -> Evaluation:
    """Compute every figure.

    Args:
        answers: recipe -> its held-out answers, all on the same clips; baseline and chosen among them.
        clips: that were judged, of known shows and of other things.
        baseline: the recipe that others are compared with.
        chosen: the recipe of all figures but the comparison.
        changed: material of changed clips -> their numbers among the judged clips, all the same.
        left_out: material with clips of shows that were not learned from; None without such clips.
        stand_in: the chosen recipe in the form in which it is served, to be compared with it.
        mahalanobis: another familiarity to compare with, [clip]; None leaves it out.
        bootstrap: of the intervals, drawn by source.
    """
    held, shows, kinds = answers[chosen], clips.shows, clips.kinds
    count, known, units = len(shows), clips.known, components(clips.rows, "source")
    truth = held.labels[known]
    of_clips = {name: each.of_clips() for name, each in answers.items()}
    logits, temperatures = of_clips[chosen], _temperatures(held, count)[held.fold]
    calibrated = softmax(logits[:, :count] / temperatures[:, None])
    joint = softmax(logits / temperatures[:, None])[:, :count].max(axis=1)  # of a show and of no other thing
    systems = {name: softmax(each[known, :count]) for name, each in of_clips.items()}
    operating = find_operating(logits, held.labels, shows, kinds=kinds)
    verdicts, beside = verdicts_in_folds(held, shows, kinds, beside=left_out)
    levels = measure_known_and_others(
        ("of known shows", f"of {OTHER_THINGS}"),
        verdicts,
        [None if row.other else row.show for row in clips.rows],
        kinds,
        groups=units,
        bootstrap=bootstrap,
    )
    if left_out:
        each, none = np.arange(len(beside)), [None] * len(beside)
        levels.append(measure_levels(f"of {left_out}", beside, none, kinds, groups=each, bootstrap=bootstrap))
    agreement = None
    if stand_in is not None:
        served, _ = verdicts_in_folds(answers[stand_in], shows, kinds, by=held)
        agreement = measure_agreement(
            stand_in,
            list(zip(served, of_clips[stand_in][:, :count].argmax(axis=1).tolist(), strict=True)),
            list(zip(verdicts, logits[:, :count].argmax(axis=1).tolist(), strict=True)),
            np.where(known, held.labels, -1),
            groups=units,
            bootstrap=bootstrap,
        )
    sample = next(iter(changed.values())) if changed else np.flatnonzero(known)
    return Evaluation(
        measure_accuracy(calibrated[known], truth, shows, groups=units[known], bootstrap=bootstrap),
        _by_source(clips, calibrated[known].argmax(axis=1) == truth),
        compare_systems(systems, truth, baseline=baseline, groups=units[known], bootstrap=bootstrap),
        {
            "as trained": measure_calibration(systems[chosen], truth),
            "calibrated": measure_calibration(calibrated[known], truth),
        },
        _unknown(
            held,
            count,
            units=units,
            temperature=operating.temperature,
            left_out=left_out,
            mahalanobis=mahalanobis,
            bootstrap=bootstrap,
        ),
        levels,
        measure_coverage(systems[chosen].argmax(axis=1) == truth, joint[known], joint[~known]),
        measure_robustness(
            calibrated[sample],
            {name: softmax(held.of_clips(name)[:, :count] / temperatures[sample, None]) for name in changed},
            held.labels[sample],
            groups=units[sample],
            bootstrap=bootstrap,
        ),
        operating,
        agreement,
    )


def _temperatures(held: HeldOut, count: int) -> Doubles:
    """For each fold, the temperature that suits the known clips of the other folds."""
    logits, known = held.of_clips()[:, :count], held.labels < count
    others = [known & ~inside for _, inside in held.folds()]
    return np.array([fit_temperature(logits[some], held.labels[some]).temperature for some in others])


def _by_source(clips: Clips, right: NDArray[np.bool_]) -> tuple[SourceAccuracy, ...]:
    sources = np.array([row.source for row in clips.rows if not row.other])
    found = []
    for source in np.unique(sources):
        of_source = right[sources == source]
        accuracy = wilson(int(of_source.sum()), len(of_source))
        found.append(SourceAccuracy(str(source), len(of_source), accuracy))
    return tuple(sorted(found, key=lambda each: (-each.clips, each.source)))


def _unknown(
    held: HeldOut,
    count: int,
    *,
    units: NDArray[np.intp],
    temperature: float,
    left_out: str | None,
    mahalanobis: Doubles | None,
    bootstrap: Bootstrap,
) -> list[UnknownReport]:
    """How well each familiarity tells known clips from other things, and from shows that were left out."""
    logits, known = held.of_clips(), held.labels < count
    if known.all():
        return []
    typical, labels = logits[known, :count], held.labels[known]
    kl = np.zeros(len(logits))  # with the mean answers to known clips of other folds
    for _, inside in held.folds():
        others = ~inside[known]
        kl[inside] = kl_matching(
            logits[inside, :count], typical[others], labels[others], temperature=temperature
        )
    sets = [(OTHER_THINGS, logits, known, units, kl)]
    if left_out:
        beside = held.of_clips(left_out)
        both = np.concatenate([logits[known], beside])
        groups = np.concatenate([units[known], units.max() + 1 + np.arange(len(beside))])
        kl = kl_matching(both[:, :count], typical, labels, temperature=temperature)
        sets.append((left_out, both, np.arange(len(both)) < known.sum(), groups, kl))
    reports = []
    for name, values, inside, groups, kl in sets:
        scores = {LEARNED: odds_of_shows(values, temperature=temperature)} if values.shape[1] > count else {}
        scores["largest probability"] = largest_probability(values[:, :count], temperature=temperature)
        scores["energy"] = energy(values[:, :count], temperature=temperature)
        scores["KL matching"] = kl
        if mahalanobis is not None and name == OTHER_THINGS:
            scores["relative Mahalanobis, frozen"] = mahalanobis
        reports += [
            measure_unknown(
                score[inside],
                score[~inside],
                score=f"{kind}: {name}",
                known_groups=groups[inside],
                unknown_groups=groups[~inside],
                bootstrap=bootstrap,
            )
            for kind, score in scores.items()
        ]
    return reports
