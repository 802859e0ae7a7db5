"""Draws docs/benchmarks.png from the results: ratios with their spread, and curves over frames and size."""

from __future__ import annotations

import hashlib
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from benchmarks.bench.report import TITLES
from benchmarks.bench.results import BY_FRAMES, BY_SIZE, REAL, THIS, Results, Section, compare, medians
from services.files import replacing

DIGEST = "results-sha256"  # of the PNG's text chunks: which results it shows
_OURS, _PEER = "#d1495b", "#66717e"


def draw(results: Results, path: Path) -> None:
    """Write a PNG file: ratios of every section as bars, and of decoding by frames and width as curves."""
    canvas = Canvas(figsize=(14, 9), layout="constrained")
    grid = canvas.subplots(2, 3).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, name in zip(grid, TITLES, strict=False):
        if name in results.sections:
            _bars(axes, results.sections[name])
    if "decode" in results.sections:
        for axes, group, fact in ((grid[4], BY_FRAMES, "frames"), (grid[5], BY_SIZE, "width")):
            _curve(axes, results.sections["decode"], group, fact)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        canvas.savefig(partial, format="png", dpi=90, metadata={"Software": None, DIGEST: digest(results)})


def digest(results: Results) -> str:
    """Return what ties a picture to its results."""
    return hashlib.sha256(results.to_json().encode()).hexdigest()


def _bars(axes: Axes, section: Section) -> None:
    """Draw the ratios of the real GIFs, or of every group of another section."""
    axes.set_axis_on()
    groups = [group for group in section.groups if group not in (BY_FRAMES, BY_SIZE)]
    rows = [
        (f"{figure.name}\n{group}" if len(groups) > 1 else figure.name, figure)
        for group in groups
        for figure in compare(section, group)
    ]
    places = range(len(rows))
    ratios = [figure.ratio for _, figure in rows]
    spread = ([each.middle - each.low for each in ratios], [each.high - each.middle for each in ratios])
    colours = [_OURS if figure.name.startswith(THIS) else _PEER for _, figure in rows]
    error_style = {"lw": 1, "capsize": 2}
    axes.barh(places, [each.middle for each in ratios], xerr=spread, color=colours, error_kw=error_style)
    axes.axvline(1, color=_OURS, lw=1)
    axes.set_yticks(places, [name for name, _ in rows], fontsize=7)
    axes.invert_yaxis()
    title = TITLES[section.name][0] + (f", {REAL}" if section.name == "decode" else "")
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("time relative to this project, with the spread over rounds", fontsize=8)


def _curve(axes: Axes, section: Section, group: str, fact: str) -> None:
    indices = [index for index, item in enumerate(section.items) if item.group == group]
    if not indices:
        return
    axes.set_axis_on()
    for entry in section.entries:
        seconds = medians(entry)
        able = [index for index in indices if seconds[index] is not None]
        ours = entry is section.entries[0]
        axes.plot(
            [section.items[index].facts[fact] for index in able],
            [1000 * (seconds[index] or 0) for index in able],
            marker="o",
            ms=3,
            lw=2.5 if ours else 1,
            label=entry.name,
            zorder=3 if ours else 2,
            color=_OURS if ours else None,
        )
    axes.set(xscale="log", yscale="log")
    values = sorted({round(section.items[index].facts[fact]) for index in indices})
    axes.set_xticks(values, [str(value) for value in values])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(which="both", labelsize=7)
    axes.set_xlabel("frames of 320 x 240" if fact == "frames" else "width of 30 frames, 4:3", fontsize=8)
    axes.set_ylabel("ms a GIF", fontsize=8)
    axes.set_title(f"Drawn GIFs {group}", fontsize=10)
    axes.legend(fontsize=7)
