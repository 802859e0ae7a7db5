"""What the command line programs share: a Typer app with --version, and the option --json."""

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
import typer.core

from services.extras import version_text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object about what was done.")]


class Commands(typer.core.TyperGroup):
    """The commands of a program; a wrong value of an option is an error that says what it must be."""

    def invoke(self, context: typer.Context) -> Any:  # type: ignore[override]
        """Run the command that the words name."""
        try:
            return super().invoke(context)
        except typer.BadParameter as error:
            if error.param is not None and (expected := _expected(error)):
                option = max(error.param.opts, key=len)
                raise typer.BadParameter(f"{option} must be {expected}", ctx=error.ctx) from error
            raise


def program(name: str, help_text: str, cls: type[Commands] = Commands) -> typer.Typer:
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


def _expected(error: typer.BadParameter) -> str | None:
    """Say what a value must be and what it is; None where the error does not come from Pydantic."""
    errors = getattr(error.__cause__, "errors", None)
    if errors is None:
        return None
    [found, *_] = errors()
    limits, given = found.get("ctx", {}), found["input"]
    choices = re.search(r" is not one of (.+)\.$", found["msg"])
    expected = {
        "int_parsing": "a whole number",
        "float_parsing": "a number",
        "greater_than_equal": f"at least {limits.get('ge')}",
        "less_than_equal": f"at most {limits.get('le')}",
        "value_error": choices and _either(re.findall(r"'([^']*)'", choices[1])),
    }.get(found["type"])
    return f"{expected}, not {given!r}" if expected else None


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


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
