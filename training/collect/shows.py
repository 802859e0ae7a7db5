"""Reads which shows to collect, and the words to search for, from a TOML file such as shows.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass

from services.errors import os_reason
from services.reading import read_text
from training.errors import InvalidOptions
from training.settings import MAX_BYTES, checked

MAX_QUERY = 50  # characters that Giphy takes
MAX_RESULTS = 4999  # of one query that Giphy shows
CONFIG = ConfigDict(extra="forbid", strict=True)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("it should be text")
    return text


def _distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(texts)) < len(texts):
        raise ValueError("they should be different from each other")
    return texts


Text = Annotated[str, AfterValidator(_not_blank)]
Query = Annotated[str, Field(max_length=MAX_QUERY), AfterValidator(_not_blank)]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class SearchOptions:
    """How to search; a file may set these for all of its shows.

    Attributes:
        rating: of the audience, from the strictest to the widest; GIFs of a wider rating are excluded.
        language: of the queries, two letters; a country may follow (zh-CN).
        results: GIFs to request with each query, 1..4999.
    """

    rating: Literal["g", "pg", "pg-13", "r"] = "pg-13"
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 100


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class ShowOptions(SearchOptions):
    """One show to collect.

    Attributes:
        title: the label of its GIFs, and so what the model will answer.
        queries: words to search for, one search each; a GIF counts for the first that finds it.
    """

    title: Text
    queries: Annotated[tuple[Query, ...], Strict(False), Field(min_length=1), AfterValidator(_distinct)]


def read_shows(path: Path) -> tuple[ShowOptions, ...]:
    """Read a file of shows, see training/collect/shows.toml.

    Raises:
        InvalidOptions: the file cannot be read or is no TOML, names no show or one twice, or a setting is
            unknown or out of its range.
    """
    try:
        values = tomllib.loads(read_text(path, most=MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        found = f"none: {os_reason(error)}"
        raise InvalidOptions(str(path), expected="a TOML file of shows", found=found) from error
    tables = values.pop("show", None)
    checked(SearchOptions, values, str(path))
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise InvalidOptions(str(path), expected="with at least one table [[show]]", found="without")
    shows = tuple(checked(ShowOptions, values | table, f"show {table.get('title')!r}") for table in tables)
    titles = [show.title for show in shows]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise InvalidOptions(str(path), expected="a list of different shows", found=f"{twice[0]} twice")
    return shows
