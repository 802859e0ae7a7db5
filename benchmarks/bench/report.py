"""Writes docs/benchmarks.md from the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.bench.results import THIS, Figure, Results, Section, compare
from benchmarks.harness.timing import table
from services.files import write_text

ENOUGH = 5  # rounds; with fewer, ratios are not to be quoted
TITLES = {
    "decode": ("GIF to clip", "ms a GIF"),
    "classify": ("Clip to probabilities", "ms a clip"),
    "serve": ("Serving over loopback, GIF to show", "ms a request"),
    "line": ("GIF file to show", "ms a GIF"),
}
METHOD = {
    "decode": "Ten frames, 224 x 224, RGB. Peers take frames by their index, as their users do, and show a "
    "GIF as their library does; this project also samples by time, crops letterbox bars and shows what a "
    "browser shows.",
    "classify": "One clip of ten frames. A peer that runs the ONNX file must give the same top show as this "
    "project. The models in Keras's formats have the same layers in fp32 with random weights, on which speed "
    "does not depend.",
    "serve": "Behind every server are this project's two steps with the same model, so that only the servers "
    "differ. The server keeps to one processor, the client to another if there is one. No two requests are "
    "the same.",
    "line": "Decoders and runtimes of the sections above, put together; each takes its own frames.",
}

MEASURE = """\
## Measure it yourself

    make bench                  # about ten minutes on two idle cores; after an interruption it continues
    make bench BENCH=--quick    # a try, into runs/bench/quick
    .venv/bin/python -m benchmarks bench --only decode --rounds 9
    .venv/bin/python -m benchmarks bench --other-model float32.onnx

Each peer has an environment of its own, listed in `benchmarks/bench/peers.txt`. A peer that
cannot be installed or imported is listed as absent with the reason. The GIFs are those of `../shared` if that
folder exists, else the examples; the curves show drawn GIFs in both cases.
`benchmarks/results.json` holds every measured time: the tables and the plot are computed
from it alone.
"""


def write(results: Results, path: Path, *, plot: str) -> None:
    """Write the page; `plot` is the file name of the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(results, plot=plot))


def page(results: Results, *, plot: str) -> str:
    """Return docs/benchmarks.md: the method, and a table for each section; `plot` names its picture."""
    method = (
        f"Written by `make bench` on {results.measured}: {results.cores} cores, Python {results.python}, one "
        "thread for each contender. All are ready at once and take turns at every item, A B C, A B C, so "
        "that other load on the machine affects all of them. *Ratio* is the time relative to this project's "
        "in the same round, geometric mean over items, median over rounds; **above 1 this project is faster, "
        "below 1 the peer is**. *Spread* is the smallest and the largest ratio of a round."
    )
    parts = ("# Speed, beside what people would use instead", method, f"![Ratios and curves]({plot})")
    return "\n\n".join([*parts, tables(results), MEASURE])


def tables(results: Results) -> str:
    """Return a table for each section, with what must be known to read it."""
    sections = (results.sections[name] for name in TITLES if name in results.sections)
    return "\n".join(line for section in sections for line in _section(section)).rstrip()


def _section(section: Section) -> Iterator[str]:
    title, unit = TITLES[section.name]
    yield f"## {title}\n\n{METHOD[section.name]}\n"
    if section.quick or section.rounds < ENOUGH:
        yield f"**A try of {section.rounds} rounds, not a figure to quote.**\n"
    for group in section.groups:
        figures = compare(section, group)
        count = sum(item.group == group for item in section.items)
        yield f"### {group[0].upper()}{group[1:]}{f', {count} of them' if count > 1 else ''}\n"
        rows = [_row(figure, count, ours=figure is figures[0]) for figure in figures]
        yield table(("contender", unit, "ratio", "spread", "by"), rows)
        yield f"\n{_verdict(figures)}\n"
    for name, reason in section.absent.items():
        yield f"- Absent: {name}: {reason}"
    for entry in section.entries:
        for item, reason in entry.failures.items():
            yield f"- {entry.name} is not counted at {item}: {reason}"
    if section.absent or any(entry.failures for entry in section.entries):
        yield ""


def _row(figure: Figure, count: int, *, ours: bool) -> tuple[str, ...]:
    entry, ratio = figure.entry, figure.ratio
    name = entry.name + (f" ({figure.items} of {count} items)" if figure.items < count else "")
    compared = ("1", "") if ours else (f"{ratio.middle:.2f}", ratio.spread)
    return name, f"{figure.milliseconds:.1f}", *compared, "; ".join(filter(None, (entry.version, entry.note)))


def _verdict(figures: Sequence[Figure]) -> str:
    peers = [figure for figure in figures[1:] if not figure.name.startswith(THIS)]
    if not peers:
        return "No peer took part."
    faster = [f"{figure.name} ({figure.ratio.middle:.2f})" for figure in peers if figure.ratio.high < 1]
    undecided = [figure.name for figure in peers if figure.ratio.low <= 1 <= figure.ratio.high]
    text = "No peer is faster than this project in every round."
    if faster:
        text = f"Faster than this project: {', '.join(faster)}."
    if undecided:
        text += f" Faster in some rounds, slower in others: {', '.join(undecided)}."
    return text
