"""Results as tables in Markdown and HTML, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

MISSING = "-"  # for a number that does not exist, such as the precision of a show that was never named


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, and whether it holds numbers, which are aligned to the right."""

    heading: str
    numeric: bool = True


def columns(*headings: str, text: Sequence[str] = ()) -> tuple[Column, ...]:
    """Columns with these headings; those named in `text` hold text, the others numbers."""
    return tuple(Column(heading, numeric=heading not in text) for heading in headings)


@dataclass(frozen=True)
class Table:
    """Rows of text under headings.

    Attributes:
        title: subject of the table.
        columns: headings, in order.
        rows: texts, one for each column.
        note: what a reader must know to read the numbers; "" for nothing.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {len(row)} cells under {len(self.columns)} headings")

    def markdown(self) -> str:
        """The table in GitHub's Markdown, title first; ends with a line feed."""
        lines = [f"**{_escape(self.title)}**", ""]
        lines.append(_markdown_row([column.heading for column in self.columns]))
        lines.append("|" + "|".join("---:" if column.numeric else "---" for column in self.columns) + "|")
        lines.extend(_markdown_row(row) for row in self.rows)
        if self.note:
            lines += ["", _escape(self.note)]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """The table in HTML, title and note included."""
        headings = "".join(f"<th>{escape(column.heading)}</th>" for column in self.columns)
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        note = f"<p><small>{escape(self.note)}</small></p>" if self.note else ""
        title = f"<h2>{escape(self.title)}</h2>"
        return f"{title}<table><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table>{note}"


class Result(ABC):
    """The base of results: a frozen dataclass that can be printed as tables and stored as JSON."""

    @abstractmethod
    def tables(self) -> tuple[Table, ...]:
        """The result as tables, the most important first."""

    def markdown(self) -> str:
        """All tables in GitHub's Markdown."""
        return "\n".join(table.markdown() for table in self.tables())

    def to_json(self) -> dict[str, Any]:
        """The fields by name in JSON's own types; a number that is not finite becomes None."""
        plain: dict[str, Any] = to_plain(self)
        return plain


def to_plain(value: object) -> Any:
    """Dataclasses, mappings, sequences, arrays and numbers as JSON's own types.

    Raises:
        TypeError: the value contains something that JSON has no form for.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no NaN
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decimal(value: float, digits: int = 3) -> str:
    """A number with a fixed count of decimals; `MISSING` for one that is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def _markdown_row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _escape(text: str) -> str:
    """Escape text for Markdown: a bar would end the cell, a star would set it bold."""
    for character in "\\|*_`[]<>":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
