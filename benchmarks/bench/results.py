"""What `make bench` measured: the seconds in benchmarks/results.json, and the ratios computed from them."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness.timing import Ratio
from services.files import write_text

THIS = "this project"  # the names of its own contenders begin with this
REAL, BY_FRAMES, BY_SIZE = "real GIFs", "by frames", "by canvas"  # groups of the section decode


class NotResults(Exception):
    """A file is not what `make bench` writes; the message says which."""


@dataclass(frozen=True)
class Item:
    """One thing that every contender does."""

    name: str  # what contenders are given
    group: str  # ratios are computed for each group
    # numbers about the item; curves are drawn over them
    facts: Mapping[str, float] = field(default_factory=dict)
    shown: str = ""  # its name for readers, if that is another one: paths of this machine are not published

    @property
    def label(self) -> str:
        """The name that is published."""
        return self.shown or self.name


@dataclass(frozen=True)
class Entry:
    """The times of one contender at every item, in every round."""

    name: str  # of the contender
    version: str  # of the library that did the work
    note: str  # what a reader must know to judge the times
    seconds: tuple[tuple[float | None, ...], ...]  # [round][item]; None where it could not do the item
    # label of an item -> why the contender could not do it
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One question, answered by every contender."""

    name: str  # decode, classify, serve or line
    key: str  # digest of the question: a section with the same key need not be measured again
    rounds: int  # how often everything was measured
    quick: bool  # whether it was a short try, whose ratios mean little
    items: tuple[Item, ...]  # what was done
    entries: tuple[Entry, ...]  # the first is this project
    absent: Mapping[str, str] = field(default_factory=dict)  # contender -> why it did not take part

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of its items, in their order."""
        return tuple(dict.fromkeys(item.group for item in self.items))


@dataclass(frozen=True)
class Results:
    """What `make bench` measured: one section for each question, and on what machine."""

    cores: int  # processors of the machine; nothing else of it is published
    python: str  # version of the interpreter
    measured: str  # day, YYYY-MM-DD
    sections: Mapping[str, Section] = field(default_factory=dict)  # by name

    def with_section(self, section: Section) -> Results:
        """Return the same results with a section added or replaced."""
        return dataclasses.replace(self, sections={**self.sections, section.name: section})

    def to_json(self) -> str:
        """Return the text of the file."""
        values = dataclasses.asdict(self)
        for section in values["sections"].values():
            for entry in section["entries"]:
                entry["seconds"] = [
                    [value and float(f"{value:.5g}") for value in row] for row in entry["seconds"]
                ]
            for item in section["items"]:
                item["name"] = item["shown"] or item["name"]
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def save(results: Results, path: Path) -> None:
    """Write the whole file, or leave it as it was."""
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


def _section(values: dict[str, Any]) -> Section:
    items = tuple(Item(**item) for item in values["items"])
    entries = tuple(
        Entry(**{**entry, "seconds": tuple(tuple(row) for row in entry["seconds"])})
        for entry in values["entries"]
    )
    return Section(**{**values, "items": items, "entries": entries})


@dataclass(frozen=True)
class Figure:
    """One contender in one group of items."""

    entry: Entry  # of the contender
    milliseconds: float  # geometric mean over the items of the medians over the rounds
    # time relative to this project, over the rounds; in a round it is the geometric mean over the items that
    # both can do
    ratio: Ratio
    items: int  # how many items it could do

    @property
    def name(self) -> str:
        """The contender's name."""
        return self.entry.name


def compare(section: Section, group: str) -> tuple[Figure, ...]:
    """Return each contender that could do an item of the group: this project, then from the fastest on."""
    indices = [index for index, item in enumerate(section.items) if item.group == group]
    ours, *others = section.entries
    figures = [figure for entry in others if (figure := _figure(entry, ours, indices))]
    first = _figure(ours, ours, indices)
    return (*([first] if first else []), *sorted(figures, key=lambda figure: figure.ratio.middle))


def medians(entry: Entry) -> tuple[float | None, ...]:
    """Return the median seconds of each item over the rounds; None where the contender could not do it."""
    columns = zip(*entry.seconds, strict=True)
    return tuple(None if None in column else statistics.median(column) for column in columns)


def _figure(entry: Entry, ours: Entry, indices: Sequence[int]) -> Figure | None:
    able = {index: seconds for index, seconds in enumerate(medians(entry)) if seconds and index in indices}
    if not able:
        return None
    means = ([_mean(row, able) for row in rounds] for rounds in (entry.seconds, ours.seconds))
    return Figure(entry, 1000 * _mean(able, able), Ratio.of(*means), len(able))


def _mean(seconds: Mapping[int, float] | Sequence[float | None], indices: Iterable[int]) -> float:
    """Return the geometric mean of the values at these indices."""
    return math.exp(statistics.fmean(math.log(seconds[index] or math.nan) for index in indices))
