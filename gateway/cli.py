"""The command line `gif-analyzer`.

Exit codes: 0 all inputs were answered, 1 some failed, 2 usage, setting or model, 130 interrupted.
"""

from __future__ import annotations

import glob
import io
import os
import sys

import typer

from gateway.commands.about import doctor, shows
from gateway.commands.batch import batch
from gateway.commands.identify import identify
from gateway.commands.library import library
from gateway.commands.mcp import mcp
from gateway.commands.serve import serve
from gateway.commands.sort import sort
from gateway.commands.terminal import FAILED, complain
from gateway.files import STDIN
from services.errors import os_reason
from services.process import keep_freed_memory
from services.terminal import Commands, program


class _Commands(Commands):
    """The commands; `identify` may be left out before the name of a GIF."""

    def parse_args(self, context: typer.Context, words: list[str]) -> list[str]:  # type: ignore[override]
        first = words[0] if words else ""
        own = {option for parameter in self.params for option in (*parameter.opts, "--help", "-h")}
        if first not in self.commands and first not in own and _may_be_gif(words):
            words = ["identify", *words]
        return super().parse_args(context, words)


def _may_be_gif(words: list[str]) -> bool:
    """Whether the first word, or any word after an option, looks like a file, folder, glob or address."""

    def may_be(word: str) -> bool:
        return word == STDIN or glob.has_magic(word) or os.path.lexists(word) or any(c in word for c in "./")

    if words and words[0].startswith("-"):  # a word may be the value of an option
        return any(may_be(word) for word in words if word == STDIN or not word.startswith("-"))
    return bool(words) and may_be(words[0])


app = program(
    "gif-analyzer", "Tell which TV show an animated GIF came from: `gif-analyzer some.gif`.", _Commands
)


for command in (identify, sort, batch, shows, doctor, mcp):
    app.command()(command)
app.add_typer(library, name="library")
app.add_typer(serve, name="serve")


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the terminal's encoding cannot write is escaped, and raises no error.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="gif-analyzer")
    except OSError as error:  # of the output: errors of inputs are handled before
        complain(f"cannot write the answer: {os_reason(error)}")
        # Python flushes once more at exit; what is still buffered would fail again, with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(FAILED)
