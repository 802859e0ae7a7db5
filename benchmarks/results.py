"""What was measured, and nothing derived: **sections of seconds** <-> **benchmarks/results.json**.

Everything that the table and the plot say is computed from this file, so that anyone can compute it again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.files import write_text

THIS = "this project"  # what the names of its own contenders begin with


class NotResults(Exception):
    """A file that is not what `make bench` writes; the message says which."""


@dataclass(frozen=True)
class Item:
    """One thing that every contender does.

    Attributes:
        name: what contenders are given.
        group: figures are computed for each group by itself.
        facts: numbers about it that curves are drawn against.
        shown: its name for readers: no path of this machine.
    """

    name: str
    group: str
    facts: Mapping[str, float] = field(default_factory=dict)
    shown: str = ""


@dataclass(frozen=True)
class Entry:
    """One contender's times.

    Attributes:
        name: of the contender.
        version: of the library that did the work.
        note: what a reader must know to judge it.
        seconds: [round][item]; None where it could not do the item.
        failures: shown name of an item -> why it could not do that.
    """

    name: str
    version: str
    note: str
    seconds: tuple[tuple[float | None, ...], ...]
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One question, asked of every contender in turn.

    Attributes:
        name: decode, classify, serve or line.
        key: digest of all that was asked; the same key, the same question.
        rounds: how often everything was measured.
        quick: whether it was a short try, whose figures mean little.
        items: what was done.
        entries: the first is this project.
        absent: contender -> why it did not take part.
    """

    name: str
    key: str
    rounds: int
    quick: bool
    items: tuple[Item, ...]
    entries: tuple[Entry, ...]
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """A whole measurement.

    Attributes:
        cores: processors of the machine; nothing else of it is named.
        python: version of the interpreter.
        measured: day, YYYY-MM-DD.
        sections: by name.
    """

    cores: int
    python: str
    measured: str
    sections: Mapping[str, Section] = field(default_factory=dict)

    def with_section(self, section: Section) -> Results:
        """The same with one section new."""
        return dataclasses.replace(self, sections={**self.sections, section.name: section})

    def to_json(self) -> str:
        """The text of the file."""
        values = dataclasses.asdict(self)
        for section in values["sections"].values():
            for entry in section["entries"]:
                entry["seconds"] = [[_rounded(value) for value in row] for row in entry["seconds"]]
            for item in section["items"]:
                item["name"] = item["shown"] or item["name"]
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def save(results: Results, path: Path) -> None:
    """Write the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, results.to_json())


def load(path: Path) -> Results:
    """Read what `save` wrote.

    Raises:
        NotResults: there is no such file, or it is something else.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
        sections = {name: _section(section) for name, section in values["sections"].items()}
        return Results(values["cores"], values["python"], values["measured"], sections)
    except OSError as error:
        raise NotResults(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotResults(f"{path}: not what make bench writes: {error!r}") from error


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{seconds:.5g}")


def _section(values: dict[str, Any]) -> Section:
    return Section(
        **{
            **values,
            "items": tuple(Item(**item) for item in values["items"]),
            "entries": tuple(
                Entry(**{**entry, "seconds": tuple(tuple(row) for row in entry["seconds"])})
                for entry in values["entries"]
            ),
        }
    )
