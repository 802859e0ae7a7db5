"""The memory of a collection: pages, files and calls, in an SQLite database in its folder.

Each response of a provider is committed in one transaction as soon as it arrives, so that the next run
continues after one that was killed at any instant. The journal never contains a key: neither addresses nor
pages have one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from services.errors import os_reason
from training.collect.providers import Found, Page, Search
from training.errors import InvalidCollection

NAME = "collect.sqlite"
VERSION = 1  # of the tables and of what the fingerprints mean
_TABLES = """
CREATE TABLE IF NOT EXISTS page (search TEXT, cursor TEXT, next TEXT, fresh INTEGER, left_out INTEGER,
    PRIMARY KEY (search, cursor));
CREATE TABLE IF NOT EXISTS found (search TEXT, place INTEGER, id TEXT, said TEXT, PRIMARY KEY (search, id));
CREATE TABLE IF NOT EXISTS gif (id TEXT PRIMARY KEY, sha256 TEXT, path TEXT, size_bytes INTEGER);
CREATE TABLE IF NOT EXISTS refused (id TEXT PRIMARY KEY, reason TEXT, message TEXT);
CREATE TABLE IF NOT EXISTS look (sha256 TEXT PRIMARY KEY, width INTEGER, height INTEGER, frames INTEGER,
    fingerprint BLOB);
CREATE TABLE IF NOT EXISTS call (instant REAL);
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT);
"""


@dataclasses.dataclass(frozen=True)
class GifFile:
    """The file of a collected GIF.

    Attributes:
        sha256: of its bytes.
        path: of the file, relative to the collection.
        size_bytes: of the file.
    """

    sha256: str
    path: str
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class Contents:
    """What decoding a GIF found.

    Attributes:
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frames: their number.
        fingerprint: as `Fingerprint.to_bytes` writes it.
    """

    width: int
    height: int
    frames: int
    fingerprint: bytes


@dataclasses.dataclass(frozen=True)
class Progress:
    """The progress of one search.

    Attributes:
        cursor: of the next page; None when the provider has no more.
        found: different GIFs so far.
        stale: pages in a row, up to the last, without a new GIF.
        left_out: results that are no GIFs to learn from.
    """

    cursor: str | None
    found: int
    stale: int
    left_out: int


class Journal:
    """The memory of one collection; one program at a time may open it.

    Args:
        folder: of the collection, made if missing.
        provider: name of the provider that it is collected from.

    Raises:
        InvalidCollection: the folder cannot be made, another program collects into it, it was collected from
            another provider or by another version, or its journal is damaged.
    """

    def __init__(self, folder: Path, provider: str) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(folder / NAME, timeout=0, isolation_level=None)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")  # held from here on: the lock outlives the transaction
            self._db.execute("COMMIT")
            self._db.executescript(_TABLES)
            wanted = {"version": str(VERSION), "provider": provider}
            kept = {name: self._setting(name, value) for name, value in wanted.items()}
        except OSError as error:
            raise InvalidCollection(str(folder), f"it cannot be made: {os_reason(error)}") from error
        except sqlite3.Error as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            raise self._broken(error, "another program collects into it" if busy else "") from error
        for name, value in wanted.items():
            if kept[name] != value:
                self.close()
                raise InvalidCollection(
                    str(folder), f"it holds a collection of {name} {kept[name]}, this is {name} {value}"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Close it; an error of SQLite, of a damaged file or a full disk, becomes InvalidCollection."""
        self.close()
        if isinstance(error, sqlite3.Error):
            raise self._broken(error) from error

    def close(self) -> None:
        """Release the collection to other programs."""
        self._db.close()

    # Pages

    def progress(self, search: Search) -> Progress:
        """Return the progress of a search; its cursor is "" before the first page."""
        pages = self._db.execute(
            "SELECT next, fresh, left_out FROM page WHERE search = ? ORDER BY rowid", (search.key,)
        ).fetchall()
        stale = 0
        for _, fresh, _ in pages:
            stale = 0 if fresh else stale + 1
        return Progress(
            cursor=pages[-1][0] if pages else "",
            found=sum(fresh for _, fresh, _ in pages),
            stale=stale,
            left_out=sum(left_out for _, _, left_out in pages),
        )

    def add_page(self, search: Search, cursor: str, page: Page) -> int:
        """Record a page.

        Returns:
            How many of its GIFs are new to the search.
        """
        with self._transaction():
            (place,) = self._one("SELECT count(*) FROM found WHERE search = ?", search.key)
            fresh = 0
            for found in page.found:
                values = json.dumps(dataclasses.asdict(found), ensure_ascii=False)
                fresh += self._db.execute(
                    "INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?)",
                    (search.key, place + fresh, found.id, values),
                ).rowcount
            self._db.execute(
                "INSERT INTO page VALUES (?, ?, ?, ?, ?)",
                (search.key, cursor, page.next, fresh, page.left_out),
            )
        return fresh

    def found(self, search: Search) -> tuple[Found, ...]:
        """Return what a search found, each GIF once, in the provider's order."""
        rows = self._db.execute("SELECT said FROM found WHERE search = ? ORDER BY place", (search.key,))
        try:
            return tuple(Found(**json.loads(values)) for (values,) in rows)
        except (ValueError, TypeError) as error:
            raise sqlite3.DataError(f"a GIF that was found cannot be read: {error}") from error

    # GIFs

    def file(self, id_: str) -> GifFile | None:
        """Return the file of a GIF; None before it was fetched."""
        row = self._one("SELECT sha256, path, size_bytes FROM gif WHERE id = ?", id_)
        return GifFile(*row) if row else None

    def refused(self, id_: str) -> tuple[str, str] | None:
        """Return the reason and the message of a GIF that is unusable; None for the others."""
        row: tuple[str, str] | None = self._one("SELECT reason, message FROM refused WHERE id = ?", id_)
        return row

    def contents(self, sha256: str) -> Contents | None:
        """Return the contents of a GIF; None before it was decoded."""
        row = self._one("SELECT width, height, frames, fingerprint FROM look WHERE sha256 = ?", sha256)
        return Contents(*row) if row else None

    def keep(self, id_: str, file: GifFile, contents: Contents) -> None:
        """Record a GIF whose file is in its place."""
        with self._transaction():
            self._db.execute("INSERT INTO gif VALUES (?, ?, ?, ?)", (id_, *dataclasses.astuple(file)))
            self._db.execute(
                "INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?)",
                (file.sha256, *dataclasses.astuple(contents)),
            )

    def refuse(self, id_: str, reason: str, message: str) -> None:
        """Record that a GIF is unusable, so that it is not fetched again."""
        self._db.execute("INSERT INTO refused VALUES (?, ?, ?)", (id_, reason, message))

    def forget(self) -> None:
        """Delete all pages and files, but keep the contents, which depend on a file's bytes alone."""
        with self._transaction():
            for table in ("page", "found", "gif", "refused"):
                self._db.execute(f"DELETE FROM {table}")

    # Calls, for training.collect.quota; instants in seconds since 1970

    def calls_since(self, instant: float) -> list[float]:
        """Return the instants of the calls after this one, in order."""
        rows = self._db.execute("SELECT instant FROM call WHERE instant > ? ORDER BY instant", (instant,))
        return [at for (at,) in rows]

    def add_call(self, instant: float) -> None:
        """Record a call that is about to be made."""
        self._db.execute("INSERT INTO call VALUES (?)", (instant,))

    def closed_until(self) -> float:
        """Return the instant before which the provider wants no call; 0 for none."""
        try:
            return float(self._setting("closed_until", "0"))
        except ValueError as error:
            raise sqlite3.DataError(f"closed_until: {error}") from error

    def close_until(self, instant: float) -> None:
        """Record the instant before which the provider wants no call."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('closed_until', ?)", (repr(instant),))

    def _broken(self, error: sqlite3.Error, why: str = "") -> InvalidCollection:
        return InvalidCollection(
            str(self._folder), why or f"its journal {NAME} is damaged or cannot be used: {error}"
        )

    def _setting(self, name: str, default: str) -> str:
        """Return a setting, which gets the default where it is missing."""
        self._db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (name, default))
        return str(self._one("SELECT value FROM setting WHERE name = ?", name)[0])

    def _one(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values).fetchone()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:  # commits, or rolls back on an error
            yield
