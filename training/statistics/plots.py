"""Plots of the results, as PNG or SVG files by the ending of the path; written whole or not at all.

Every function raises ValueError for a path with another ending or for results without data, and OSError if
the file cannot be written.

Colours are those of Okabe & Ito, "Color Universal Design" (2008), which readers of every colour vision tell
apart; no plot tells two things apart by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from services.files import replacing
from training.statistics.calibration import CalibrationReport
from training.statistics.comparison import RobustnessReport
from training.statistics.estimate import Estimate
from training.statistics.metrics import AccuracyReport, CoverageReport
from training.statistics.openset import UnknownReport

BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
INK, QUIET, FAINT = "#222222", "#6B6B6B", "#E3E3E3"  # text and axes; second text; grid
SUFFIXES = (".png", ".svg")

STYLE: dict[Any, Any] = {  # matplotlib types its keys as one Literal of all
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelpad": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.12,  # inches
    "figure.constrained_layout.w_pad": 0.12,
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "gif-analyzer",  # the same ids, so the same file, each time
    "text.color": INK,
    "text.parse_math": False,  # "$" in the name of a show is a dollar
    "xtick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET,
    "ytick.labelcolor": INK,
}


@contextmanager
def drawing(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of this size in inches, written when it is drawn; nothing is left behind when that fails."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a plot is written as {' or '.join(SUFFIXES)}, not as {path.name!r}")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as drawn:
            figure.savefig(drawn, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)


def bars(axes: Axes, names: Sequence[str], estimates: Sequence[Estimate], texts: Sequence[str]) -> None:
    """One bar for each estimate from the bottom up, with its interval and a text beside it."""
    places = range(len(names))
    axes.barh(places, [entry.value for entry in estimates], color=SKY, height=0.7)
    axes.errorbar(
        [entry.value for entry in estimates],
        places,
        xerr=whiskers(estimates),
        fmt="none",
        ecolor=INK,
        elinewidth=1.2,
        capsize=2.5,
    )
    for place, text in zip(places, texts, strict=True):
        axes.text(1.02, place, text, va="center", transform=axes.get_yaxis_transform())
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_formatter(PercentFormatter(1))


def whiskers(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """How far each interval reaches below and above its value, [2, estimate]; 0 where there is none."""
    ends = np.array([[entry.value - entry.low, entry.high - entry.value] for entry in estimates])
    return np.asarray(np.nan_to_num(ends.reshape(-1, 2).T).clip(min=0))


def title(axes: Axes, text: str, subtitle: str = "") -> None:
    """A bold title over a quiet line, both from the left edge of the axes."""
    axes.set_title(text, loc="left", fontsize=12, fontweight="bold", pad=24 if subtitle else 8)
    axes.annotate(
        subtitle,
        (0, 1),
        (0, 9),
        xycoords="axes fraction",
        textcoords="offset points",
        color=QUIET,
        fontsize=9,
    )


def plot_confusion(report: AccuracyReport, path: Path) -> None:
    """Which show is taken for which: counts written, colour is the share of the true show's clips.

    Shows without clips, and never named, are left out.
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
    """Accuracy over confidence, one panel for each report, such as before and after the temperature."""
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
    """ROC curves of known against unknown; a dot marks each threshold."""
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
    """Accuracy of the surest answers, and how many clips of other things would be answered with them."""
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
    """Recall of each show that has clips, with its interval, best first."""
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
    """Top-1 accuracy of changed clips beside the unchanged ones, in the order of the report."""
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


def plot_absence(name: str, why: str, path: Path) -> None:
    """Write a plot without data that says why, so that no plot of an earlier run stays."""
    with drawing(path, 5.0, 1.6) as figure:
        figure.suptitle(name, x=0.02, ha="left", fontweight="bold")
        figure.text(0.5, 0.4, why, ha="center", color=QUIET)
