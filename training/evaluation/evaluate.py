"""From held-out answers to the figures that the model card quotes.

    HeldOut answers of every recipe -> `evaluate` -> **Evaluation** -> tables, JSON, plots

Nothing here learns from the clips it judges: the temperature that calibrates the clips of a fold is fitted on
the answers to the other folds' clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from training.evaluation.crossvalidate import HeldOut
from training.files import write_json, write_text
from training.fit.operating import Operating
from training.network.head import FamiliarityKind
from training.statistics.agreement import AgreementReport, measure_agreement
from training.statistics.calibration import CalibrationReport, fit_temperature, measure_calibration, softmax
from training.statistics.comparison import (
    ComparisonReport,
    RobustnessReport,
    compare_systems,
    measure_robustness,
)
from training.statistics.estimate import Bootstrap
from training.statistics.metrics import AccuracyReport, measure_accuracy
from training.statistics.openset import (
    UnknownReport,
    choose_threshold,
    energy,
    largest_probability,
    measure_unknown,
    unknown_table,
)
from training.statistics.plots import (
    plot_confusion,
    plot_reliability,
    plot_robustness,
    plot_shows,
    plot_unknown,
)
from training.statistics.report import Result, Table

Array = NDArray[np.float32]
SCORES: Mapping[str, FamiliarityKind] = MappingProxyType(
    {"largest probability": "probability", "energy": "energy", "nearest training clip": "nearest"}
)


@dataclass(frozen=True)
class Evaluation:
    """All figures of one evaluation.

    Attributes:
        accuracy: of the chosen recipe, in folds of whole sources.
        comparison: all recipes on the same clips.
        calibration: of the chosen recipe, before and after its temperature.
        unknown: one report for each score and set of unknown clips.
        robustness: of the chosen recipe on changed clips.
        operating: see there.
        agreement: of the form in which the chosen recipe is to be served; None where it was not judged.
    """

    accuracy: AccuracyReport
    comparison: ComparisonReport
    calibration: Mapping[str, CalibrationReport]
    unknown: Sequence[UnknownReport]
    robustness: RobustnessReport
    operating: Operating
    agreement: AgreementReport | None = None

    def tables(self) -> list[Table]:
        """Every table, in the order of the model card."""
        return [
            *self.comparison.tables(),
            *self.accuracy.tables(),
            *self.calibration["calibrated"].tables(),
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
            "robustness": self.robustness,
            "operating": self.operating,
        }
        if self.agreement:
            results["agreement"] = self.agreement
        plain: dict[str, object] = {name: result.to_json() for name, result in results.items()}
        plain["calibration"] = {name: each.to_json() for name, each in self.calibration.items()}
        plain["unknown"] = [report.to_json() for report in self.unknown]
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "evaluation.json", plain, sort_keys=True, allow_nan=False)
        text = "\n\n".join(table.markdown() for table in self.tables())
        write_text(folder / "evaluation.md", text + "\n")
        plot_confusion(self.accuracy, folder / "confusion.png")
        plot_shows(self.accuracy, folder / "shows.png")
        plot_reliability(self.calibration, folder / "reliability.png")
        names = {kind: name for name, kind in SCORES.items()}
        best = [each for each in self.unknown if each.score.startswith(names[self.operating.score])]
        plot_unknown(best, folder / "unknown.png")
        plot_robustness(self.robustness, folder / "robustness.png")


def evaluate(
    answers: Mapping[str, HeldOut],
    labels: NDArray[np.intp],
    shows: Sequence[str],
    *,
    baseline: str,
    chosen: str,
    changed: Sequence[str],
    unknown: Sequence[str],
    stand_in: str | None = None,
    sample: NDArray[np.intp] | None = None,
    groups: NDArray[np.intp] | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008  frozen
) -> Evaluation:
    """Compute every figure.

    Args:
        answers: recipe -> its held-out answers, all on the same clips; baseline and chosen among them.
        labels: [clip], numbers of shows, for all clips of the manifest.
        shows: names of the shows.
        baseline: the recipe that others are compared with.
        chosen: the recipe whose figures are worked out.
        changed: materials with clips of the sample, changed.
        unknown: materials with clips of unknown shows.
        stand_in: the recipe in the form in which it is to be served, to be compared with it.
        sample: numbers of the clips that were changed; None for all.
        groups: [clip], resampled together; None resamples clip by clip.
        bootstrap: of the intervals.
    """
    held = answers[chosen]
    truth = labels
    units = groups
    temperatures = _temperatures(held, truth)
    plain = _calibrated(held.logits["plain"], temperatures[held.folds])
    accuracy = measure_accuracy(plain, truth, shows, groups=units, bootstrap=bootstrap)
    systems = {name: softmax(each.logits["plain"]) for name, each in answers.items()}
    comparison = compare_systems(systems, truth, baseline=baseline, groups=units, bootstrap=bootstrap)
    calibration = {
        "as trained": measure_calibration(softmax(held.logits["plain"]), truth),
        "calibrated": measure_calibration(plain, truth),
    }
    some = np.arange(len(truth)) if sample is None else sample
    robustness = measure_robustness(
        plain[some],
        {name: _calibrated(held.logits[name], temperatures[held.folds[some]]) for name in changed},
        truth[some],
        groups=None if units is None else units[some],
        bootstrap=bootstrap,
    )
    temperature = fit_temperature(held.logits["plain"], truth).temperature
    scores = {score: familiarity(held, score, temperature) for score in SCORES}
    reports = [
        measure_unknown(known["plain"], known[other], score=f"{score}: {other}", bootstrap=bootstrap)
        for other in unknown
        for score, known in scores.items()
    ]
    best = max(SCORES, key=lambda name: sum(r.auroc.value for r in reports if r.score.startswith(name)))
    operating = Operating(temperature, SCORES[best], choose_threshold(scores[best]["plain"]))
    agreement = None
    if stand_in is not None:
        agreement = measure_agreement(
            stand_in, systems[stand_in], systems[chosen], truth, groups=units, bootstrap=bootstrap
        )
    return Evaluation(accuracy, comparison, calibration, reports, robustness, operating, agreement)


def familiarity(held: HeldOut, score: str, temperature: float) -> dict[str, NDArray[np.float64]]:
    """How familiar the clips of each material are, by one of `SCORES`."""
    if score == "nearest training clip":
        return {name: values.astype(np.float64) for name, values in held.nearest.items()}
    measure = largest_probability if score == "largest probability" else energy
    return {name: measure(logits, temperature=temperature) for name, logits in held.logits.items()}


def _temperatures(held: HeldOut, truth: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each fold, the temperature that suits the clips of the other folds."""
    found = []
    for fold in range(int(held.folds.max()) + 1):
        others = held.folds != fold
        found.append(fit_temperature(held.logits["plain"][others], truth[others]).temperature)
    return np.array(found)


def _calibrated(logits: Array, temperatures: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(softmax(logits / temperatures[:, None]))
