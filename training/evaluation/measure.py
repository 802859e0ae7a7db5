"""Measures a fitted model on GIFs that it did not learn from: figures, plots and a prediction for each GIF.

The picture of mistakes shows footage. It belongs in the folder of a run, and is never committed or published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from services.preprocess import decode_gif
from training.data.clips import Clips
from training.data.splits import components
from training.errors import InvalidManifest
from training.evaluation.predictions import Prediction, worst, write_predictions
from training.files import write_csv, write_json
from training.fit.features import Extractor
from training.network.backbone import Backbone, load_backbone
from training.network.model import FittedModel
from training.statistics.calibration import CalibrationReport, measure_calibration
from training.statistics.estimate import Bootstrap
from training.statistics.metrics import AccuracyReport, measure_accuracy
from training.statistics.openset import UnknownReport, measure_unknown, unknown_table
from training.statistics.plots import (
    QUIET,
    drawing,
    plot_absence,
    plot_confusion,
    plot_reliability,
    plot_shows,
    plot_unknown,
)
from training.statistics.report import Result, Table, to_plain

MISTAKES_SHOWN = 12
COLUMNS = 3  # of mistakes
FRAMES_SHOWN = (1, 5, 8)  # of the ten of a clip


@dataclass(frozen=True)
class Measured(Result):
    """The figures of one model.

    Attributes:
        accuracy: on clips of shows that the model knows.
        calibration: of the same answers.
        unknown: how well familiarity tells these clips from those of unknown shows; None without such clips.
        predictions: one for each clip, those of known shows first.
    """

    accuracy: AccuracyReport
    calibration: CalibrationReport
    unknown: UnknownReport | None
    predictions: tuple[Prediction, ...]

    def tables(self) -> tuple[Table, ...]:
        """Every table."""
        unknown = [unknown_table([self.unknown])] if self.unknown else []
        return (*self.accuracy.tables(), *self.calibration.tables(), *unknown)

    def metrics(self) -> dict[str, float]:
        """The figures that runs are compared by: shares in 0..1, larger is better except for `ece`."""
        found = {
            "clips": float(self.accuracy.clips),
            **{f"top_{each.k}": each.accuracy.value for each in self.accuracy.top_k},
            "macro_f1": self.accuracy.macro_f1.value,
            "mean_of_shows": self.accuracy.mean_of_shows.value,
            "ece": self.calibration.ece,
        }
        if self.unknown:
            found["unknown_auroc"] = self.unknown.auroc.value
            found["unknown_caught"] = self.unknown.unknown_caught.value
            found["known_refused"] = self.unknown.known_refused.value
        return {name: round(value, 6) for name, value in found.items() if np.isfinite(value)}

    def write(self, folder: Path) -> None:
        """Write figures, predictions and plots.

        A pipeline names the files, so they are always the same: evaluation.json, metrics.json,
        confusions.csv, predictions.json, confusion.png, shows.png, reliability.png, unknown.png and
        mistakes.png, which shows footage. A plot without data says so.
        """
        folder.mkdir(parents=True, exist_ok=True)
        plain: dict[str, Any] = {
            "accuracy": self.accuracy.to_json(),
            "calibration": {"calibrated": self.calibration.to_json()},
            "unknown": [to_plain(self.unknown)] if self.unknown else [],
        }
        write_json(folder / "evaluation.json", plain, sort_keys=True)
        write_json(folder / "metrics.json", self.metrics())
        known = self.predictions[: self.accuracy.clips]
        write_csv(folder / "confusions.csv", ("actual", "predicted"), [(p.show, p.named) for p in known])
        write_predictions(self.predictions, folder / "predictions.json")
        plot_confusion(self.accuracy, folder / "confusion.png")
        plot_shows(self.accuracy, folder / "shows.png")
        plot_reliability({"held-out clips": self.calibration}, folder / "reliability.png")
        if self.unknown:
            plot_unknown([self.unknown], folder / "unknown.png")
        else:
            plot_absence("Unknown shows", "no clips of unknown shows were given", folder / "unknown.png")
        plot_mistakes(self.predictions, folder / "mistakes.png")


def measure(
    fitted: FittedModel,
    clips: Clips,
    cache_dir: Path,
    *,
    unknown: Clips | None = None,
    backbone: Backbone | None = None,
    bootstrap: Bootstrap = Bootstrap(),  # noqa: B008  frozen
    console: Console | None = None,
) -> Measured:
    """Measure a fitted model.

    Args:
        fitted: of `training.fit.run`.
        clips: of shows that it knows.
        cache_dir: where features are kept.
        unknown: clips of shows that it does not know.
        backbone: its image network; None loads it.
        bootstrap: of the intervals.
        console: shows progress; None is silent.

    Raises:
        InvalidManifest: a clip is of a show that the model does not know, or was called unknown and is known.
    """
    strangers = sorted(set(clips.shows) - set(fitted.shows))
    if strangers:
        raise InvalidManifest("evaluation", f"the model does not know {strangers[0]}")
    if unknown and (known := sorted(set(unknown.shows) & set(fitted.shows))):
        raise InvalidManifest("unknown", f"the model knows {known[0]}")
    network = backbone or load_backbone(fitted.backbone)
    extractor = Extractor(network, fitted.head.taps, cache_dir, console=console)
    answer = fitted.head.answer(extractor.extract(clips))
    labels = np.array([fitted.shows.index(row.show) for row in clips.rows])
    groups = components(clips.rows, "group")
    probabilities = np.asarray(answer.probabilities, np.float64)
    predictions = _predictions(fitted, clips, probabilities, answer.familiarity)
    found = None
    if unknown:
        other = fitted.head.answer(extractor.extract(unknown))
        found = measure_unknown(
            answer.familiarity,
            other.familiarity,
            score="familiarity",
            threshold=fitted.unknown_threshold,
            known_groups=groups,
            unknown_groups=components(unknown.rows, "group"),
            bootstrap=bootstrap,
        )
        predictions += _predictions(fitted, unknown, other.probabilities, other.familiarity)
    return Measured(
        measure_accuracy(probabilities, labels, fitted.shows, groups=groups, bootstrap=bootstrap),
        measure_calibration(probabilities, labels),
        found,
        tuple(predictions),
    )


def _predictions(
    fitted: FittedModel, clips: Clips, probabilities: NDArray[Any], familiarity: NDArray[Any]
) -> list[Prediction]:
    return [
        Prediction(
            path=row.path,
            sha256=digest,
            show=row.show,
            group=row.group,
            probabilities=dict(zip(fitted.shows, map(float, shares), strict=True)),
            known=fitted.decide(shares, familiar).known,
        )
        for row, digest, shares, familiar in zip(
            clips.rows, clips.digests, probabilities, familiarity, strict=True
        )
    ]


def plot_mistakes(predictions: Sequence[Prediction], path: Path) -> None:
    """Draw the most confident mistakes, three frames each; without mistakes the picture says so.

    Raises:
        GifError: a GIF cannot be read any more.
        ValueError: the path ends in neither .png nor .svg.
        OSError: a file cannot be read or written.
    """
    mistakes = worst(predictions, "wrong", MISTAKES_SHOWN)
    rows = max(-(-len(mistakes) // COLUMNS), 1)
    with drawing(path, 4.4 * COLUMNS, 2.1 * rows + 0.4) as figure:
        figure.suptitle("The most confident mistakes", x=0.01, ha="left", fontweight="bold")
        if not mistakes:
            figure.text(0.5, 0.45, f"none among {len(predictions)} clips", ha="center", color=QUIET)
        for number, mistake in enumerate(mistakes):
            axes = figure.add_subplot(rows, COLUMNS, number + 1)
            frames = decode_gif(mistake.path.read_bytes()).frames
            axes.imshow(np.concatenate([frames[index] for index in FRAMES_SHOWN], axis=1))
            axes.set_axis_off()
            unknown = "" if mistake.known else ", called unknown"
            axes.set_title(
                f"{mistake.show}\ntaken for {mistake.named}, {mistake.confidence:.0%}{unknown}",
                loc="left",
                fontsize=9,
            )
