"""What the commands share with the terminal: exit codes, one line for what went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from gateway.commands.table import printable
from services.errors import CannotServe, InvalidSetting, ModelError, UnreadableFile

FAILED = 1  # an input could not be answered
USAGE = 2  # the command itself cannot run: its options, its settings, its model

# Modules that only an extra brings -> the extra, and what it is for.
EXTRAS = {
    **dict.fromkeys(
        ("grpc", "grpc_health", "grpc_reflection", "grpc_status", "google", "pythonjsonlogger"),
        ("grpc", "gRPC"),
    ),
    **dict.fromkeys(
        ("anyio", "certifi", "fastapi", "h11", "httpcore", "prometheus_client", "starlette", "uvicorn"),
        ("rest", "HTTP"),
    ),
    **dict.fromkeys(("daft", "pyarrow"), ("batch", "batch")),
    "ray": ("ray", "Ray"),
}


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """End the command with one line where it cannot begin."""
    try:
        yield
    except (CannotServe, InvalidSetting, ModelError, UnreadableFile) as error:
        complain(error.message)
        raise typer.Exit(USAGE) from error
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRAS:
            raise
        extra, what = EXTRAS[(error.name or "").split(".")[0]]
        complain(f"this takes the {what} packages: install gif-analyzer[{extra}]")
        raise typer.Exit(USAGE) from error


def complain(message: str) -> None:
    """Print one line on standard error."""
    typer.echo(f"gif-analyzer: {printable(message)}", err=True)
