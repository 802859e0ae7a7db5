"""Which shows to collect, with which words: **shows.toml** -> read_shows -> **frozen options of each**."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import InvalidOptions

DEFAULT_SHOWS = Path(__file__).with_name("shows.toml")
RATINGS = ("g", "pg", "pg-13", "r")  # from the strictest to the widest
MAX_QUERY = 50  # characters that Giphy takes
MAX_RESULTS = 4999  # of one query that Giphy shows
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_SHARED = ("rating", "language", "results")  # a file may set them for all of its shows


@dataclass(frozen=True)
class ShowOptions:
    """One show to collect.

    Attributes:
        title: what the model will say.
        queries: words to ask with, one search each; a GIF counts for the first that finds it.
        rating: of the audience, one of `RATINGS`; GIFs for a narrower audience are left out.
        language: of the words, two letters, a country may follow (zh-CN).
        results: how many GIFs to ask for with each query, 1..4999.
    """

    title: str
    queries: tuple[str, ...]
    rating: str = "pg-13"
    language: str = "en"
    results: int = 100

    def __post_init__(self) -> None:
        name = f"show {self.title!r}: "
        for ok, option, expected, found in (
            (_is_text(self.title), "title", "text", self.title),
            (bool(self.queries), "queries", "at least one", "none"),
            (
                all(_is_text(query) and len(query) <= MAX_QUERY for query in self.queries),
                "queries",
                f"texts of at most {MAX_QUERY} characters",
                self.queries,
            ),
            (
                len({str(query) for query in self.queries}) == len(self.queries),
                "queries",
                "each once",
                self.queries,
            ),
            (self.rating in RATINGS, "rating", f"one of {', '.join(RATINGS)}", self.rating),
            (
                isinstance(self.language, str) and bool(_LANGUAGE.fullmatch(self.language)),
                "language",
                "like en or zh-CN",
                self.language,
            ),
            (
                type(self.results) is int and 1 <= self.results <= MAX_RESULTS,
                "results",
                f"in 1..{MAX_RESULTS}",
                self.results,
            ),
        ):
            if not ok:
                raise InvalidOptions(name + option, expected=expected, found=str(found))


def read_shows(path: Path = DEFAULT_SHOWS) -> tuple[ShowOptions, ...]:
    """Read a file of shows, see training/shows.toml.

    Raises:
        InvalidOptions: it cannot be read or is no TOML, names no show or one twice, or a setting is unknown
            or out of its range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidOptions(str(path), expected="a TOML file of shows", found=str(error)) from error
    tables = values.pop("show", None)
    _check_names(str(path), values, _SHARED)
    if not isinstance(tables, list) or not tables:
        raise InvalidOptions(str(path), expected="with at least one [[show]]", found="without")
    if not all(isinstance(table, dict) for table in tables):
        raise InvalidOptions(str(path), expected="with a table for each show", found="with another value")
    shows = tuple(_read_show(values | table) for table in tables)
    titles = [show.title for show in shows]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise InvalidOptions(str(path), expected="a list of different shows", found=f"{twice[0]} twice")
    return shows


def _read_show(table: Mapping[str, Any]) -> ShowOptions:
    name = f"show {table.get('title')!r}"
    _check_names(name, table, [field.name for field in dataclasses.fields(ShowOptions)])
    queries = table.get("queries", [])
    if not isinstance(queries, list):
        raise InvalidOptions(f"{name}: queries", expected="a list of texts", found=str(queries))
    return ShowOptions(**{"title": "", **table, "queries": tuple(queries)})


def _check_names(name: str, table: Mapping[str, Any], known: Any) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise InvalidOptions(name, expected=f"of {', '.join(known)}", found=", ".join(unknown))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
