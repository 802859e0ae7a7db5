"""What the commands share with the terminal: exit codes, one line for what went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from gateway.commands.table import printable
from services.errors import CannotServe, InvalidArgument, InvalidSetting, ModelError, UnreadableFile
from services.extras import advice

FAILED = 1  # an input could not be answered
USAGE = 2  # the command itself cannot run: its options, its settings, its model
INTERRUPTED = 130  # by Ctrl-C


@contextlib.contextmanager
def usage_errors(takes: str = "") -> Iterator[None]:
    """End the command with one line where it cannot begin.

    Args:
        takes: extras of pyproject.toml that the command needs, apart by commas.
    """
    try:
        yield
    except (CannotServe, InvalidArgument, InvalidSetting, ModelError, UnreadableFile) as error:
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
