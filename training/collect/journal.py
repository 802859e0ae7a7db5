"""What a collection remembers: **answers, files, calls** -> SQLite in its folder -> what is still to do.

Each answer of a provider is written in one transaction as soon as it is there, so that a run that is killed
at any instant goes on from the next question. A key never gets here: neither addresses nor pages hold one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

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
class Kept:
    """A GIF whose file is here.

    Attributes:
        sha256: of its bytes.
        path: of the file, relative to the collection.
        size_bytes: of the file.
    """

    sha256: str
    path: str
    size_bytes: int


@dataclasses.dataclass(frozen=True)
class Look:
    """What was seen when a GIF was decoded.

    Attributes:
        width: of the canvas, in pixels.
        height: of the canvas, in pixels.
        frames: how many it holds.
        fingerprint: as `Fingerprint.to_bytes` writes it.
    """

    width: int
    height: int
    frames: int
    fingerprint: bytes


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far one search is.

    Attributes:
        cursor: of the next page; None when the provider has no more.
        found: different GIFs so far.
        stale: pages in a row, up to the last, that brought nothing new.
        left_out: results that are no GIFs to learn from.
    """

    cursor: str | None
    found: int
    stale: int
    left_out: int


class Journal:
    """The memory of one collection; one program at a time may hold it.

    Args:
        folder: of the collection, which is there.
        provider: name of the provider that it is collected from.

    Raises:
        InvalidCollection: another program collects into it, it was collected from another provider or by
            another version, or its file is damaged.
    """

    def __init__(self, folder: Path, provider: str) -> None:
        self._folder = folder
        try:
            self._db = sqlite3.connect(folder / NAME, timeout=0, isolation_level=None)
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("BEGIN EXCLUSIVE")  # held from here on: the lock outlives the transaction
            self._db.execute("COMMIT")
            self._db.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            why = "another program collects into it" if busy else f"its journal cannot be opened: {error}"
            raise InvalidCollection(str(folder), why) from error
        except sqlite3.DatabaseError as error:
            raise InvalidCollection(str(folder), f"its journal {NAME} is damaged: {error}") from error
        for name, value in (("version", str(VERSION)), ("provider", provider)):
            kept = self._setting(name, value)
            if kept != value:
                self.close()
                raise InvalidCollection(
                    str(folder), f"it holds a collection of {name} {kept}, this is {name} {value}"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it."""
        self._db.close()

    # Pages

    def progress(self, search: Search) -> Progress:
        """How far a search is; cursor "" before its first page."""
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
        """Remember an answer, all of it or nothing.

        Returns:
            How many of its GIFs the search had not found before.
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
        """What a search found, each GIF once, in the order it came."""
        rows = self._db.execute("SELECT said FROM found WHERE search = ? ORDER BY place", (search.key,))
        return tuple(Found(**json.loads(values)) for (values,) in rows)

    # GIFs

    def kept(self, id_: str) -> Kept | None:
        """The file of a GIF; None where it was not fetched yet."""
        row = self._one("SELECT sha256, path, size_bytes FROM gif WHERE id = ?", id_)
        return Kept(*row) if row else None

    def refused(self, id_: str) -> tuple[str, str] | None:
        """Reason and message of a GIF that cannot be had; None where nobody said so."""
        row: tuple[str, str] | None = self._one("SELECT reason, message FROM refused WHERE id = ?", id_)
        return row

    def look(self, sha256: str) -> Look | None:
        """What was seen in a GIF; None before it was decoded."""
        row = self._one("SELECT width, height, frames, fingerprint FROM look WHERE sha256 = ?", sha256)
        return Look(*row) if row else None

    def keep(self, id_: str, kept: Kept, look: Look) -> None:
        """Remember a GIF whose file is in its place."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO gif VALUES (?, ?, ?, ?)", (id_, kept.sha256, kept.path, kept.size_bytes)
            )
            self._db.execute(
                "INSERT OR REPLACE INTO look VALUES (?, ?, ?, ?, ?)",
                (kept.sha256, *dataclasses.astuple(look)),
            )

    def refuse(self, id_: str, reason: str, message: str) -> None:
        """Remember that a GIF cannot be had, so that nobody asks again."""
        self._db.execute("INSERT INTO refused VALUES (?, ?, ?)", (id_, reason, message))

    def forget(self) -> None:
        """Look for everything anew, except how GIFs look: that goes by their bytes."""
        with self._transaction():
            for table in ("page", "found", "gif", "refused"):
                self._db.execute(f"DELETE FROM {table}")

    # Calls, see training.collect.quota.CallLog

    def calls_since(self, instant: float) -> list[float]:
        """Instants of the calls after this one, in their order."""
        rows = self._db.execute("SELECT instant FROM call WHERE instant > ? ORDER BY instant", (instant,))
        return [at for (at,) in rows]

    def add_call(self, instant: float) -> None:
        """Remember a call that is about to be made."""
        self._db.execute("INSERT INTO call VALUES (?)", (instant,))

    def closed_until(self) -> float:
        """The instant before which the provider wants no call; 0 where it did not say."""
        return float(self._setting("closed_until", "0"))

    def close_until(self, instant: float) -> None:
        """Remember that instant."""
        self._db.execute("INSERT OR REPLACE INTO setting VALUES ('closed_until', ?)", (repr(instant),))

    def _setting(self, name: str, value: str) -> str:
        """The value of a setting, which becomes this one where there was none."""
        self._db.execute("INSERT OR IGNORE INTO setting VALUES (?, ?)", (name, value))
        return str(self._one("SELECT value FROM setting WHERE name = ?", name)[0])

    def _one(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values).fetchone()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
