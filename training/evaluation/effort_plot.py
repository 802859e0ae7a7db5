"""What a frame is worth, as a picture: **EffortReport** -> PNG or SVG file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.evaluation.effort import EffortReport
from training.statistics.plots import BLUE, ORANGE, SKY, drawing, title, whiskers


def plot_effort(report: EffortReport, path: Path) -> None:
    """Top-1 accuracy over frames looked at, with its interval, and where following the rule leads.

    Raises:
        ValueError: the path ends in neither .png nor .svg.
        OSError: the file cannot be written.
    """
    counts = [each.frames for each in report.curve]
    accuracy = [each.accuracy for each in report.curve]
    with drawing(path, 7.0, 4.6) as figure:
        axes = figure.add_subplot()
        axes.fill_between(
            counts, [each.low for each in accuracy], [each.high for each in accuracy], color=SKY, alpha=0.25
        )
        axes.plot(
            counts, [each.value for each in accuracy], color=BLUE, marker="o", label="so many of every clip"
        )
        known = report.followed[0].frames
        axes.errorbar(
            [known.value],
            [report.accuracy.value],
            xerr=whiskers([known]),
            color=ORANGE,
            marker="D",
            label="early exit, on the mean",
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel("frames looked at")
        axes.set_ylabel("top-1 accuracy")
        axes.legend(loc="lower right")
        title(axes, "What a frame is worth", "clips of known shows, sources not seen; 95 % intervals")
