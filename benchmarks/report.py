"""What was measured, for readers: **results** -> **docs/benchmarks.md**, the table of the README among it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, compare, groups
from benchmarks.results import THIS, Results, Section
from training.files import write_text

ENOUGH = 5  # rounds from which on a figure may be quoted
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
    "classify": "One clip of ten frames. What runs the ONNX file must give the same top show as this "
    "project. Keras's forms have the same layers in fp32 with drawn weights, on which speed does not depend.",
    "serve": "Behind every server stand this project's two steps with the same model, so the servers differ "
    "and nothing else; the server keeps to one processor, the client to another if there is one. No two "
    "requests are the same.",
    "line": "The parts above as people put them together, each with its own frames.",
}

MEASURE = """\
## Measure it yourself

    make bench                  # some ten minutes on two quiet cores; interrupted, it goes on where it was
    make bench BENCH=--quick    # a try, into runs/bench/quick
    .venv/bin/python -m benchmarks.bench --only decode --rounds 9
    .venv/bin/python -m benchmarks.bench --other-model float32.onnx

Peers live in environments of their own, as `benchmarks/peers.txt` says; one that cannot be
installed or imported is told as absent with its reason. GIFs are those of `../shared` where they are, else
the examples; the curves are of drawings either way. `benchmarks/results.json` holds every
time that was taken: tables and plot are computed from it and nothing else.
"""


def write(results: Results, path: Path, *, plot: str) -> None:
    """Write the page, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, page(results, plot=plot))


def page(results: Results, *, plot: str) -> str:
    """The whole page, Markdown."""
    lines = [
        "# Speed, beside what people would use instead",
        "",
        f"Written by `make bench` on {results.measured}: {results.cores} cores, Python {results.python}, one "
        "thread for each contender. All stand ready at once and take turns at every item, A B C, A B C, so "
        "that whatever else the machine did fell on all of them. *Ratio* is the time taken beside this "
        "project's in the same round: geometric mean over items, median over rounds; **above 1 this project "
        "is faster, below 1 the peer is**. *Spread* is the smallest and the largest of these ratios.",
        "",
        f"![Ratios and curves]({plot})",
        "",
        *tables(results).splitlines(),
        "",
        *MEASURE.splitlines(),
    ]
    return "\n".join(lines) + "\n"


def tables(results: Results) -> str:
    """A table for each section, with what must be known to read it."""
    return "\n".join(
        line for name in TITLES if name in results.sections for line in _section(results.sections[name])
    )


def _section(section: Section) -> Iterator[str]:
    title, unit = TITLES[section.name]
    yield f"## {title}"
    yield ""
    yield METHOD[section.name]
    if section.quick or section.rounds < ENOUGH:
        yield ""
        yield f"**A try of {section.rounds} rounds, not a figure to quote.**"
    for group in groups(section):
        figures = compare(section, group)
        count = sum(item.group == group for item in section.items)
        yield ""
        yield f"### {group[0].upper()}{group[1:]}{f', {count} of them' if count > 1 else ''}"
        yield ""
        yield f"| | {unit} | ratio | spread | by |"
        yield "|---|---|---|---|---|"
        for figure in figures:
            yield _row(section, figure, count)
        yield ""
        yield _verdict(figures)
    yield ""
    yield from _remarks(section)


def _row(section: Section, figure: Figure, count: int) -> str:
    entry = next(entry for entry in section.entries if entry.name == figure.name)
    name = figure.name + (f" ({figure.items} of {count} items)" if figure.items < count else "")
    ours = entry is section.entries[0]
    ratio = "1" if ours else f"{figure.ratio:.2f}"
    spread = "" if ours else f"{figure.low:.2f}-{figure.high:.2f}"
    by = entry.version + (f"; {entry.note}" if entry.note else "")
    return f"| {name} | {figure.milliseconds:.1f} | {ratio} | {spread} | {by} |"


def _verdict(figures: tuple[Figure, ...]) -> str:
    others = [figure for figure in figures[1:] if not figure.name.startswith(THIS)]
    if not others:
        return "No peer took part."
    faster = [f"{figure.name} ({figure.ratio:.2f})" for figure in others if figure.high < 1]
    undecided = [figure.name for figure in others if figure.low <= 1 <= figure.high]
    parts = [
        f"Faster than this project: {', '.join(faster)}."
        if faster
        else "No peer is faster than this project in every round."
    ]
    if undecided:
        parts.append(f"Faster in some rounds, slower in others: {', '.join(undecided)}.")
    return " ".join(parts)


def _remarks(section: Section) -> Iterator[str]:
    for name, reason in section.absent.items():
        yield f"- Absent: {name}: {reason}"
    for entry in section.entries:
        for item, reason in entry.failures.items():
            yield f"- {entry.name} is not counted at {item}: {reason}"
    if section.absent or any(entry.failures for entry in section.entries):
        yield ""
