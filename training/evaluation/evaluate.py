"""From held-out answers to the figures that the model card quotes.

    HeldOut answers of every recipe -> `evaluate` -> **Evaluation** -> tables, JSON, plots

Nothing here learns from the clips it judges: temperature and thresholds for the clips of a fold are fitted
on the answers to the other folds' clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.clips import Clips
from training.data.splits import components
from training.evaluation.levels import LevelReport, level_table, measure_levels, verdicts_in_folds
from training.files import write_json, write_text
from training.fit.crossvalidate import HeldOut
from training.fit.operating import Operating, find_operating
from training.statistics.agreement import AgreementReport, measure_agreement
from training.statistics.calibration import CalibrationReport, fit_temperature, measure_calibration, softmax
from training.statistics.comparison import (
    ComparisonReport,
    RobustnessReport,
    compare_systems,
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
from training.statistics.report import Column, Result, Table, to_plain

OTHER_THINGS = "other things"
LEARNED = "none of these"  # the score that the model itself gives
SOURCE_CLIPS = 10  # a source with fewer has no row in the table


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
        levels: what is answered to known clips, to other things and to shows left out.
        coverage: accuracy against the share of clips that are answered.
        robustness: of the chosen recipe on changed clips.
        operating: see there.
        agreement: of the form in which the chosen recipe is to be served; None where it was not judged.
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
        results: dict[str, Result] = {
            "accuracy": self.accuracy,
            "comparison": self.comparison,
            "coverage": self.coverage,
            "robustness": self.robustness,
            "operating": self.operating,
        }
        if self.agreement:
            results["agreement"] = self.agreement
        plain: dict[str, object] = {name: result.to_json() for name, result in results.items()}
        plain["calibration"] = {name: each.to_json() for name, each in self.calibration.items()}
        plain["unknown"] = [report.to_json() for report in self.unknown]
        plain["levels"] = [report.to_json() for report in self.levels]
        plain["sources"] = to_plain(self.sources)
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
            (Column("source", numeric=False), Column("clips"), Column("top-1 accuracy")),
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
    mahalanobis: NDArray[np.float64] | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008  frozen
) -> Evaluation:
    """Compute every figure.

    Args:
        answers: recipe -> its held-out answers, all on the same clips; baseline and chosen among them.
        clips: that were judged, of known shows and of other things.
        baseline: the recipe that others are compared with.
        chosen: the recipe whose figures are worked out.
        changed: material of changed clips -> their numbers among all clips that were judged.
        left_out: material with clips of shows that were not learned from; None where there are none.
        stand_in: the recipe in the form in which it is to be served, to be compared with it.
        mahalanobis: another familiarity to compare with, [clip]; None leaves it out.
        bootstrap: of the intervals, drawn by source.
    """
    held, shows, kinds = answers[chosen], clips.shows, clips.kinds
    count, known, units = len(shows), clips.known, components(clips.rows, "source")
    truth = held.labels[known]
    of_clips = {name: each.of_clips() for name, each in answers.items()}
    shown = of_clips[chosen][known, :count]
    temperatures = _temperatures(held, count)
    plain = softmax(shown / temperatures[held.fold[known], None])
    accuracy = measure_accuracy(plain, truth, shows, groups=units[known], bootstrap=bootstrap)
    systems = {name: softmax(logits[known, :count]) for name, logits in of_clips.items()}
    comparison = compare_systems(systems, truth, baseline=baseline, groups=units[known], bootstrap=bootstrap)
    calibration = {
        "as trained": measure_calibration(softmax(shown), truth),
        "calibrated": measure_calibration(plain, truth),
    }
    operating = find_operating(of_clips[chosen], held.labels, shows, kinds=kinds)
    verdicts, beside = verdicts_in_folds(held, shows, kinds, beside=left_out)
    titles = [None if row.other else row.show for row in clips.rows]
    levels = [
        measure_levels(
            name,
            [verdict for verdict, one in zip(verdicts, some, strict=True) if one],
            [title for title, one in zip(titles, some, strict=True) if one],
            kinds,
            groups=units[some],
            bootstrap=bootstrap,
        )
        for name, some in (("of known shows", known), (f"of {OTHER_THINGS}", ~known))
        if some.any()
    ]
    if left_out:
        none = [None] * len(beside)
        levels.append(
            measure_levels(
                f"of {left_out}", beside, none, kinds, groups=np.arange(len(beside)), bootstrap=bootstrap
            )
        )
    agreement = None
    if stand_in is not None:
        served = answers[stand_in]
        agreement = measure_agreement(
            stand_in,
            _answered(verdicts_in_folds(served, shows, kinds, by=held)[0], of_clips[stand_in][:, :count]),
            _answered(verdicts, of_clips[chosen][:, :count]),
            np.where(known, held.labels, -1),
            groups=units,
            bootstrap=bootstrap,
        )
    return Evaluation(
        accuracy,
        _by_source(clips, plain.argmax(axis=1) == truth),
        comparison,
        calibration,
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
        measure_coverage(
            systems[chosen].argmax(axis=1) == truth,
            _joint(of_clips[chosen][known], temperatures[held.fold[known]], count),
            _joint(of_clips[chosen][~known], temperatures[held.fold[~known]], count),
        ),
        _robustness(
            held,
            known,
            changed=changed,
            plain=plain,
            temperatures=temperatures,
            units=units,
            bootstrap=bootstrap,
        ),
        operating,
        agreement,
    )


def _temperatures(held: HeldOut, count: int) -> NDArray[np.float64]:
    """For each fold, the temperature that suits the known clips of the other folds."""
    logits, known = held.of_clips()[:, :count], held.labels < count
    found = []
    for fold in range(int(held.fold.max()) + 1):
        others = known & (held.fold != fold)
        found.append(fit_temperature(logits[others], held.labels[others]).temperature)
    return np.array(found)


def _joint(logits: NDArray[np.float64], temperatures: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Probability that a clip is of its likeliest show and not of something else, [clip]."""
    return np.asarray(softmax(logits / temperatures[:, None])[:, :count].max(axis=1))


def _answered(verdicts: Sequence[object], logits: NDArray[np.float64]) -> list[tuple[object, int]]:
    """What is answered to each clip, to be compared: the verdict, and the show that is ranked first."""
    return list(zip(verdicts, logits.argmax(axis=1).tolist(), strict=True))


def _by_source(clips: Clips, right: NDArray[np.bool_]) -> tuple[SourceAccuracy, ...]:
    sources = np.array([row.source for row in clips.rows if not row.other])
    found = [
        SourceAccuracy(
            str(source),
            int((sources == source).sum()),
            wilson(int(right[sources == source].sum()), int((sources == source).sum())),
        )
        for source in np.unique(sources)
    ]
    return tuple(sorted(found, key=lambda each: (-each.clips, each.source)))


def _unknown(
    held: HeldOut,
    count: int,
    *,
    units: NDArray[np.intp],
    temperature: float,
    left_out: str | None,
    mahalanobis: NDArray[np.float64] | None,
    bootstrap: Bootstrap,
) -> list[UnknownReport]:
    """How well each familiarity tells known clips from others."""
    known = held.labels < count
    if known.all():
        return []
    reports = []
    for name in (None, left_out):
        logits = (
            held.of_clips() if name is None else np.concatenate([held.of_clips()[known], held.of_clips(name)])
        )
        inside = known if name is None else np.arange(len(logits)) < known.sum()
        groups = (
            units
            if name is None
            else np.concatenate([units[known], units.max() + 1 + np.arange(len(logits) - known.sum())])
        )
        shown = logits[:, :count]
        scores = {
            "largest probability": largest_probability(shown, temperature=temperature),
            "energy": energy(shown, temperature=temperature),
            "KL matching": _kl_in_folds(
                held, shown, known=known, count=count, temperature=temperature, judged=name is None
            ),
        }
        if logits.shape[1] > count:
            scores = {LEARNED: odds_of_shows(logits, temperature=temperature), **scores}
        if mahalanobis is not None and name is None:
            scores["relative Mahalanobis, frozen"] = mahalanobis
        reports += [
            measure_unknown(
                score[inside],
                score[~inside],
                score=f"{kind}: {name or OTHER_THINGS}",
                known_groups=groups[inside],
                unknown_groups=groups[~inside],
                bootstrap=bootstrap,
            )
            for kind, score in scores.items()
        ]
        if left_out is None:
            break
    return reports


def _kl_in_folds(
    held: HeldOut,
    shown: NDArray[np.float64],
    *,
    known: NDArray[np.bool_],
    count: int,
    temperature: float,
    judged: bool,
) -> NDArray[np.float64]:
    """KL matching with the mean answers to known clips of other folds."""
    typical, labels = held.of_clips()[known][:, :count], held.labels[known]
    if not judged:
        return kl_matching(shown, typical, labels, temperature=temperature)
    scores = np.zeros(len(shown))
    for fold in range(int(held.fold.max()) + 1):
        inside, others = held.fold == fold, held.fold[known] != fold
        scores[inside] = kl_matching(shown[inside], typical[others], labels[others], temperature=temperature)
    return scores


def _robustness(
    held: HeldOut,
    known: NDArray[np.bool_],
    *,
    changed: Mapping[str, NDArray[np.intp]],
    plain: NDArray[np.float64],
    temperatures: NDArray[np.float64],
    units: NDArray[np.intp],
    bootstrap: Bootstrap,
) -> RobustnessReport:
    """Accuracy on changed clips; all materials are of the same sample of known clips."""
    count = plain.shape[1]
    sample = next(iter(changed.values())) if changed else np.flatnonzero(known)
    place = np.cumsum(known) - 1  # of each known clip among the known ones
    return measure_robustness(
        plain[place[sample]],
        {
            name: softmax(held.of_clips(name)[:, :count] / temperatures[held.fold[sample], None])
            for name in changed
        },
        held.labels[sample],
        groups=units[sample],
        bootstrap=bootstrap,
    )
