"""How every picture looks, and how it is written.

matplotlib figure -> PNG or SVG file, by its ending; written whole or not at all

Colours are those of Okabe & Ito, "Color Universal Design" (2008), which readers of every colour vision tell
apart; no figure tells two things apart by colour alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from training.statistics.estimate import Estimate

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
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            drawn = Path(folder) / path.name
            figure.savefig(drawn, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
            drawn.replace(path)


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
