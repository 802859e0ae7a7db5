"""What the command line programs share: a Typer app with --version, and the option --json."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core

from services.extras import version_text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object about what was done.")]


def program(name: str, help_text: str, cls: type[typer.core.TyperGroup] | None = None) -> typer.Typer:
    """Return a Typer app without commands that has the options --version, --help and -h.

    Args:
        name: of the program, as it is typed.
        help_text: Markdown, shown by --help.
        cls: how the app looks up commands.
    """
    app = new_app(cls=cls, no_args_is_help=True)
    app.callback(help=help_text)(version_option(name))
    return app


def new_app(**options: Any) -> typer.Typer:
    """Return an empty Typer app with the settings that all programs share, and other `options` of Typer."""
    return typer.Typer(
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def report(as_json: bool, values: dict[str, Any], text: str) -> None:
    """Print the result of a command: `values` as JSON for programs, or `text` for people."""
    typer.echo(json.dumps(values) if as_json else text)


def version_option(name: str) -> Callable[..., None]:
    """Return a function whose only parameter is the option --version of this program."""

    def show_version(wanted: bool) -> None:
        if wanted:
            typer.echo(version_text(name))
            raise typer.Exit

    # Typer reads this annotation when the program starts, so it cannot be a string.
    Version = Annotated[  # noqa: N806 - a type
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ]

    def options(version: Version = False) -> None:
        """Take the options of the program itself."""

    return options
