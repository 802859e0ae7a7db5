"""Writes a comparison of answers for people: a table for the terminal, and an HTML page of one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np

from delivery.drift import LEAST_CHANGE, Aspect, Drift
from delivery.errors import InvalidOption
from services.errors import os_reason
from services.files import write_text

SHOWN = 12  # categories of an aspect on the page
WIDTH, HEIGHT = 480, 160  # of a plot, in pixels
QUANTILES = np.linspace(0, 1, 101)
UNITS = {"latency": " ms"}


def table(drift: Drift) -> str:
    """Return the table of aspects as lines of text, and a conclusion."""
    rows = [("aspect", "change", "p", "", "largest change")]
    rows += [
        (
            aspect.name,
            f"{aspect.change:.3f}" if aspect.test else "-",
            f"{aspect.p_value:.4f}" if aspect.test else "-",
            "DRIFT" if aspect.drifted else "",
            aspect.note or _largest(aspect),
        )
        for aspect in drift.aspects
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows]
    return "\n".join([*lines, conclusion(drift)])


def conclusion(drift: Drift) -> str:
    """Say in one sentence whether the answers have drifted, and of how many answers that is said."""
    what = f"drift in {', '.join(drift.drifted)}" if drift.drifted else "no drift"
    model, window, reference = drift.window.model_version, drift.window, drift.reference
    beside = f"{reference.answers:,} ({reference.source})"
    return f"{what}: {window.answers:,} answers of model {model} beside {beside}"


def _largest(aspect: Aspect) -> str:
    moved = aspect.moved()
    if aspect.before is None:
        [(_, before, now)] = [each for each in moved if each[0] == "median"]
        return f"median {before:g} -> {now:g}{UNITS.get(aspect.name, '')}"
    name, before, now = moved[0]
    return f"{name} {before:.1%} -> {now:.1%}"


def write_page(drift: Drift, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        InvalidOption: the file cannot be written.
    """
    try:
        write_text(path, "".join(_page(drift)))
    except OSError as error:
        raise InvalidOption(
            "--report", expected="a file that can be written", found=f"{path}: {os_reason(error)}"
        ) from error


def _page(drift: Drift) -> Iterator[str]:
    yield _HEAD.format(
        title="Drift" if drift.drifted else "No drift",
        conclusion=escape(conclusion(drift).capitalize()),
        alpha=drift.alpha,
    )
    yield "<table><tr><th>Aspect<th>Test<th>Change<th>Least<th>p, corrected<th></tr>\n"
    for aspect in drift.aspects:
        figures = (
            f"<td>{escape(aspect.test)}<td>{aspect.change:.3f}<td>{LEAST_CHANGE[aspect.name]:g}"
            f"<td>{aspect.p_value:.4f}<td>{'<b>drift</b>' if aspect.drifted else ''}"
            if aspect.test
            else f'<td colspan="5">{escape(aspect.note)}'
        )
        yield f"<tr><th>{escape(aspect.name)}{figures}</tr>\n"
    yield "</table>\n"
    for aspect in drift.aspects:
        if aspect.test:
            yield f"<section><h2>{escape(aspect.name.capitalize())}</h2>\n"
            yield from _shares(aspect) if aspect.before is not None else _distributions(aspect)
            yield "</section>\n"
    yield "</main></body></html>\n"


def _shares(aspect: Aspect) -> Iterator[str]:
    moved = aspect.moved()
    yield "<table><tr><th><th>Reference<th><th>Window<th></tr>\n"
    for name, before, now in moved[:SHOWN]:
        cells = "".join(f"<td>{share:.1%}<td><meter value={share:.4f}></meter>" for share in (before, now))
        yield f"<tr><th>{escape(name)}{cells}</tr>\n"
    yield "</table>\n"
    if len(moved) > SHOWN:
        yield f"<p>{len(moved) - SHOWN} more changed less.</p>\n"


def _distributions(aspect: Aspect) -> Iterator[str]:
    unit = UNITS.get(aspect.name, "")
    yield "<table><tr><th><th>Reference<th>Window</tr>\n"
    for name, before, now in aspect.moved():
        yield f"<tr><th>{escape(name)}<td>{before:g}{unit}<td>{now:g}{unit}</tr>\n"
    yield "</table>\n"
    before, now = (np.quantile(np.array(side), QUANTILES) for side in aspect.values)
    # A few very slow answers would press the rest together.
    low, high = min(before[0], now[0]), max(before[-3], now[-3])
    yield (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="Cumulative distributions of {escape(aspect.name)}">'
        f"<polyline class=reference points='{_points(before, low, high)}'/>"
        f"<polyline class=window points='{_points(now, low, high)}'/></svg>\n"
        f"<p>Share of answers below a value, from {low:g}{unit} to {high:g}{unit}: "
        "dashed is the reference, solid the window.</p>\n"
    )


def _points(values: Sequence[float], low: float, high: float) -> str:
    span = max(high - low, 1e-9)
    return " ".join(
        f"{WIDTH * min(max((value - low) / span, 0), 1):.1f},{HEIGHT * (1 - share):.1f}"
        for value, share in zip(values, QUANTILES, strict=True)
    )


_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 0 auto; max-width: 60rem; padding: 1rem }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
th, td {{ padding: .25rem .75rem; text-align: left; border-bottom: 1px solid #8886 }}
svg {{ max-width: 100%; height: auto; border: 1px solid #8886 }}
polyline {{ fill: none; stroke: currentColor; stroke-width: 2 }}
.reference {{ stroke-dasharray: 6 4; opacity: .7 }}
</style></head>
<body><main><h1>{title}</h1>
<p>{conclusion}.</p>
<p>An aspect has drifted when its corrected p-value is below {alpha:g} and the change is at least
the least one.</p>
"""
