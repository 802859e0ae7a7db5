"""Results as pictures.

report -> figure -> PNG or SVG file
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.statistics.calibration import CalibrationReport
from training.statistics.comparison import RobustnessReport
from training.statistics.coverage import CoverageReport
from training.statistics.figure import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PINK,
    QUIET,
    SKY,
    bars,
    drawing,
    title,
    whiskers,
)
from training.statistics.metrics import AccuracyReport
from training.statistics.openset import UnknownReport


def plot_confusion(report: AccuracyReport, path: Path) -> None:
    """Which show is taken for which: counts written, colour is the share of the true show's clips.

    Shows without clips, and never named, are left out.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    counts = np.array(report.confusion)
    kept = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(kept, kept)]
    clips = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(clips, 1)
    names = [report.shows[index] for index in kept]
    square = max(4.2, 0.38 * len(names))  # inches, the cells
    longest = 0.085 * max(len(name) for name in names)  # inches, beside and, aslant, below them
    with drawing(path, square + longest + 1.0, square + longest + 1.3) as figure:
        axes = figure.add_subplot()
        axes.grid(False)
        axes.spines[:].set_visible(False)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                str(counts[row, column]),
                ha="center",
                va="center",
                fontsize=8.5,
                color="white" if share[row, column] > 0.55 else INK,
                fontweight="bold" if row == column else "normal",
            )
        axes.set_xticks(range(len(kept)), names, rotation=50, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(kept)), names)
        axes.set_xticks(np.arange(len(kept) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(kept) + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=FAINT, linewidth=0.6)
        axes.tick_params(which="both", length=0)
        axes.set_xlabel("named")
        axes.set_ylabel("true show")
        title(axes, "Which show is taken for which", "clips; the darker, the larger the share of its row")


def plot_reliability(reports: Mapping[str, CalibrationReport], path: Path) -> None:
    """Accuracy over confidence, one panel for each report, such as before and after the temperature.

    Raises:
        ValueError: no reports, or the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    if not reports:
        raise ValueError("no reports to plot")
    with drawing(path, 4.4 * len(reports) + 0.4, 5.2) as figure:
        rows = figure.subplots(
            2, len(reports), squeeze=False, sharex=True, sharey="row", height_ratios=[4, 1]
        )
        for index, (name, report) in enumerate(reports.items()):
            filled = [part for part in report.bins if part.clips]
            top, bottom = rows[0][index], rows[1][index]
            top.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", zorder=1)
            top.errorbar(
                [part.confidence for part in filled],
                [part.accuracy.value for part in filled],
                yerr=whiskers([part.accuracy for part in filled]),
                fmt="o",
                color=BLUE,
                ecolor=SKY,
                markersize=6,
                elinewidth=1.8,
                clip_on=False,  # whole dots at 0 and at 100 %
                zorder=3,
            )
            top.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1])
            top.yaxis.set_major_formatter(PercentFormatter(1))
            title(top, name, f"expected calibration error {report.ece:.3f}; whiskers: 95 % intervals")
            bottom.bar(
                [part.low for part in report.bins],
                [part.clips for part in report.bins],
                width=[part.high - part.low for part in report.bins],
                align="edge",
                color=SKY,
                edgecolor="white",
            )
            bottom.set_xlabel("largest probability")
            bottom.xaxis.set_major_formatter(PercentFormatter(1))
            bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            bottom.grid(axis="x", visible=False)
        rows[0][0].set_ylabel("share that was right")
        rows[1][0].set_ylabel("clips")


def plot_unknown(reports: Sequence[UnknownReport], path: Path) -> None:
    """ROC curves of known against unknown; a dot marks each threshold.

    Raises:
        ValueError: no reports, or the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    if not reports:
        raise ValueError("no reports to plot")
    colours = (BLUE, ORANGE, GREEN, PINK, INK, SKY)
    with drawing(path, 6.2, 6.0) as figure:
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", zorder=1)
        for index, report in enumerate(sorted(reports, key=lambda report: -report.auroc.value)):
            colour = colours[index % len(colours)]
            axes.plot(
                report.curve.known_refused,
                report.curve.unknown_caught,
                color=colour,
                linestyle=("-", "--", "-.", ":")[index % 4],
                linewidth=2,
                label=f"{report.score}  {report.auroc}",
            )
            axes.plot(
                report.known_refused.value,
                report.unknown_caught.value,
                "o",
                color=colour,
                markeredgecolor="white",
                markersize=8,
                zorder=3,
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
        axes.set_xlabel("known clips called unknown")
        axes.set_ylabel("unknown clips called unknown")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="lower right", title="AUROC [95 % interval]", alignment="left", handlelength=2.6)
        title(axes, "Known or unknown", "a dot marks the threshold")


def plot_coverage(report: CoverageReport, path: Path) -> None:
    """Accuracy of the surest answers, and how many clips of other things would be answered with them.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    with drawing(path, 6.2, 4.6) as figure:
        axes = figure.add_subplot()
        axes.plot(
            report.answered, report.accuracy, color=BLUE, linewidth=2, label="right, of known clips answered"
        )
        if report.others:
            axes.plot(
                report.answered,
                report.others,
                color=ORANGE,
                linewidth=2,
                linestyle="--",
                label="other clips answered",
            )
        axes.set(xlim=(0, 1), ylim=(0, 1.005))
        axes.set_xlabel("known clips answered, the surest first")
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="center left")
        title(axes, "Right answers among the surest", "what a higher threshold brings, and what it costs")


def plot_shows(report: AccuracyReport, path: Path) -> None:
    """Recall of each show that has clips, with its interval, best first.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    shows = sorted(
        (show for show in report.per_show if show.clips), key=lambda show: (show.recall.value, show.clips)
    )
    with drawing(path, 7.5, 1.7 + 0.3 * len(shows)) as figure:
        axes = figure.add_subplot()
        bars(
            axes,
            [f"{show.show} ({show.clips})" for show in shows],
            [show.recall for show in shows],
            [f"{show.recall.value:.0%}" for show in shows],
        )
        mean = report.mean_of_shows.value
        axes.axvline(mean, color=ORANGE, linewidth=1.5, linestyle="--")
        axes.set_xlabel("clips named right, with 95 % intervals")
        title(axes, "Recall by show", f"clips in brackets; dashed: mean of shows, {mean:.0%}")


def plot_robustness(report: RobustnessReport, path: Path) -> None:
    """Top-1 accuracy of changed clips beside the unchanged ones, in the order of the report.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    entries = report.disturbances[::-1]
    names = [*(entry.name for entry in entries), "unchanged"]
    values = [*(entry.accuracy for entry in entries), report.plain]
    texts = [f"{entry.accuracy.value:.1%}  ({100 * entry.change.value:+.1f})" for entry in entries]
    with drawing(path, 7.5, 2.0 + 0.34 * len(names)) as figure:
        axes = figure.add_subplot()
        bars(axes, names, values, [*texts, f"{report.plain.value:.1%}"])
        axes.axvline(report.plain.value, color=ORANGE, linewidth=1.5, linestyle="--")
        axes.set_xlabel("top-1 accuracy, with 95 % intervals")
        title(axes, "Changed clips", "change in points in brackets; dashed: unchanged")


def plot_training(history: Mapping[str, Sequence[float]], path: Path) -> None:
    """Loss and accuracy by epoch.

    Args:
        history: by name, one number for each epoch, as Keras keeps it: `loss` and `accuracy`, of the
            training clips, and `val_loss` and `val_accuracy`, of held-out ones; any of them may be absent.
        path: where to write.

    Raises:
        ValueError: none of these names is there, or the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    panels = [name for name in ("loss", "accuracy") if {name, f"val_{name}"} & set(history)]
    if not panels:
        raise ValueError(f"no loss and no accuracy among {sorted(history)}")
    with drawing(path, 4.6 * len(panels) + 0.4, 4.0) as figure:
        for index, name in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), index + 1)
            lines = ((name, "training", ORANGE, "--"), (f"val_{name}", "held out", BLUE, "-"))
            for key, label, colour, dash in lines:
                values = history.get(key, ())
                if len(values):
                    epochs = range(1, len(values) + 1)
                    axes.plot(epochs, values, color=colour, linestyle=dash, linewidth=2, label=label)
            held_out = history.get(f"val_{name}", ())
            if len(held_out):
                best = int(np.argmin(held_out) if name == "loss" else np.argmax(held_out))
                axes.plot(best + 1, held_out[best], "o", color=BLUE, markeredgecolor="white", markersize=8)
            best_text = f"best held out {held_out[best]:.3f}, epoch {best + 1}" if len(held_out) else ""
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            if name == "accuracy":
                axes.yaxis.set_major_formatter(PercentFormatter(1))
            axes.legend()
            title(axes, name.capitalize(), best_text)


def plot_absence(name: str, why: str, path: Path) -> None:
    """A plot that has nothing to show, and says why, instead of one of an earlier run.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    with drawing(path, 5.0, 1.6) as figure:
        figure.suptitle(name, x=0.02, ha="left", fontweight="bold")
        figure.text(0.5, 0.4, why, ha="center", color=QUIET)
