"""What the commands print: predictions as lines of text, error messages, exit codes.

meadow.gif: Big Buck Bunny
  1  Big Buck Bunny   97.3%  ███████████████████▌
  2  The Simpsons      1.2%  ▎
  0.15-2.85 s  Big Buck Bunny  10 of 10 frames
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator

import typer
from rich.cells import cell_len
from rich.text import Text

from services.clip import FORMATS
from services.errors import (
    CannotServe,
    InvalidArgument,
    InvalidSetting,
    LibraryError,
    ModelError,
    UnreadableFile,
)
from services.extras import advice
from services.inference import Prediction

FAILED = 1  # an input could not be answered
USAGE = 2  # the command itself cannot run: its options, its settings, its model
LOOKS_ALIKE = 0.6  # least similarity of a neighbour that is shown, as on the page (evidence.js)
INTERRUPTED = 130  # by Ctrl-C
BAR_CELLS = 20  # of the terminal, for a probability of 1
_EIGHTHS = " ▏▎▍▌▋▊▉"  # each an eighth of a cell longer


@contextlib.contextmanager
def usage_errors(takes: str = "") -> Iterator[None]:
    """End a command that cannot run with one line and exit code 2; `takes` names its extras, "grpc,rest"."""
    try:
        yield
    except (
        CannotServe,
        InvalidArgument,
        InvalidSetting,
        LibraryError,
        ModelError,
        UnreadableFile,
    ) as error:
        complain(error.message)
        raise typer.Exit(USAGE) from error
    except ModuleNotFoundError as error:
        what_to_do = advice(error.name or "", takes=takes)
        if what_to_do is None:
            raise
        complain(what_to_do)
        raise typer.Exit(USAGE) from error


def complain(message: str) -> None:
    """Print one line on standard error."""
    typer.echo(f"gif-analyzer: {printable(message)}", err=True)


def printable(text: str) -> str:
    """Escape the characters that would control the terminal or that cannot be encoded."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode("ascii")
        for char in text
    )


def prediction_line(source: str, prediction: Prediction) -> Text:
    """Return one line on what a GIF shows, with the probability where one show is named."""
    line = _headline(source, prediction)
    if prediction.verdict.level == "show":
        line.append(f" ({prediction.shows[0].probability:.1%})", "dim")
    return line


def prediction_lines(
    source: str,
    prediction: Prediction,
    *,
    frames: bool = True,
    always_ranked: bool = True,
    ascii_only: bool = False,
) -> Iterable[Text]:
    """Yield the lines that say what a GIF shows.

    Args:
        source: name of the GIF.
        prediction: the answer.
        frames: whether to yield the lines about frames.
        always_ranked: whether to rank the shows, and say what the frames show, even where no show is named.
            The probabilities only compare the shows with each other, so they look surer than the answer is.
        ascii_only: whether to draw the bars with `#`.
    """
    yield _headline(source, prediction)
    if not prediction.known and not always_ranked:
        yield Text("  use --top-k 5 to rank the shows anyway", "dim")
        yield from _evidence(prediction)
        return
    width = max(cell_len(printable(ranked.show)) for ranked in prediction.shows)
    digits = len(str(len(prediction.shows)))
    for rank, ranked in enumerate(prediction.shows, start=1):
        name = printable(ranked.show)
        best = "bold" if prediction.known and ranked.show in prediction.verdict.names else ""
        line = Text.assemble(
            (f"  {rank:>{digits}}  ", "dim"),
            (name + " " * (width - cell_len(name)), best),
            f"  {ranked.probability:6.1%}  ",
            (bar(ranked.probability, ascii_only=ascii_only), "green" if prediction.known else "yellow"),
        )
        line.rstrip()  # where there is no bar
        yield line
    total = len(prediction.votes)
    for show, run in itertools.groupby(prediction.votes if frames else (), key=lambda vote: vote.show):
        times = [vote.offset_ms for vote in run]
        yield Text.assemble(
            (f"  {_seconds(times[0], times[-1])}  ", "dim"),
            printable(show),
            (f"  {len(times)} of {total} frames" if total > 1 else "  1 frame", "dim"),
        )
    yield from _evidence(prediction)


def _evidence(prediction: Prediction) -> Iterator[Text]:
    """Yield a line for the best match and one for the neighbours, where a library was searched."""
    for match in prediction.matches[:1]:
        times = _seconds(match.known.start_ms, match.known.end_ms)
        more = f", and {len(prediction.matches) - 1} more" if len(prediction.matches) > 1 else ""
        yield Text.assemble(
            ("  same footage: ", "dim"),
            printable(f"{match.show}, {match.name}"),
            (f" at {times}{', mirrored' if match.mirrored else ''}{more}", "dim"),
        )
    alike = [
        each
        for each in prediction.neighbours[:3]
        if each.similarity >= LOOKS_ALIKE
        and each.show in prediction.verdict.names
        and each.name not in {match.name for match in prediction.matches}
    ]
    if alike:
        nearest = [f"{each.show}, {each.name} ({each.similarity:.2f})" for each in alike]
        yield Text.assemble(("  looks like: ", "dim"), printable("; ".join(nearest)))


def bar(probability: float, *, ascii_only: bool = False) -> str:
    """Draw a probability of 0..1 as a bar of 0..20 cells."""
    if ascii_only:
        return "#" * round(probability * BAR_CELLS)
    whole, part = divmod(round(probability * BAR_CELLS * 8), 8)
    return "█" * whole + (_EIGHTHS[part] if part else "")


def _headline(source: str, prediction: Prediction) -> Text:
    name, said = (printable(source), "bold"), printable(prediction.verdict.text)
    kind = "" if prediction.format in ("", "gif") else f" ({FORMATS[prediction.format]})"
    if prediction.known:
        return Text.assemble(name, (kind, "dim"), ": ", (said, "bold green"))
    nearest = printable(prediction.shows[0].show)
    return Text.assemble(name, (kind, "dim"), ": ", (said, "bold yellow"), f"; nearest guess: {nearest}")


def _seconds(start_ms: int, end_ms: int) -> str:
    start, end = f"{start_ms / 1000:.2f}", f"{end_ms / 1000:.2f}"
    return f"{start} s" if start == end else f"{start}-{end} s"
