"""The interface of a provider of GIFs, and the provider that reads a folder of this machine.

A provider is any class with the members of `Provider`. The collector requests its results page by page and
remembers them, so that it never requests a page or a GIF twice; docs/collect.md shows how to add a provider.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.errors import UnreadableFile, os_reason
from services.names import is_picture, name_from_text, name_text
from services.reading import read_gif
from training.errors import InvalidCollection

MAX_GIF_BYTES = 8_000_000  # of one GIF, unless the user sets another limit
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes part of a file's name


@dataclass(frozen=True)
class Search:
    """One search at a provider.

    Attributes:
        show: title of the show that the GIFs are of.
        query: words to search for; "" where the provider knows the show by itself.
        rating: of the audience, see `SearchOptions`.
        language: of the words.
        results: how many GIFs are wanted; 0 for all.
    """

    show: str
    query: str = ""
    rating: str = ""
    language: str = ""
    results: int = 0

    @property
    def key(self) -> str:
        """Identifies the search in the journal; a search for more results has the same key."""
        return json.dumps([self.show, self.query, self.rating, self.language], ensure_ascii=False)


@dataclass(frozen=True)
class Found:
    """One GIF that a search found.

    Attributes:
        id: letters, digits, `-` and `_`, unique at the provider.
        show: title of the search.
        query: words of the search.
        address: of the page that shows it.
        username: of its publisher; "" where unknown.
        title: as the provider has it.
        media: where its bytes are, for the provider's `fetch`.
    """

    id: str
    show: str
    query: str
    address: str
    username: str
    title: str
    media: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"the id of a GIF consists of letters, digits, - and _: {self.id!r}")


@dataclass(frozen=True)
class Page:
    """One page of results.

    Attributes:
        found: GIFs, in the provider's order; earlier pages may contain some of them.
        next: cursor of the next page, None at the end.
        left_out: number of results that are no GIFs to learn from, such as stickers.
        attempts: how often an empty page was requested that does not say that it is the last; such a page is
            not remembered, and the next run requests it again. 0 for a valid page.
    """

    found: tuple[Found, ...]
    next: str | None = None
    left_out: int = 0
    attempts: int = 0


class Gone(Exception):
    """A provider cannot deliver the bytes of one GIF.

    Attributes:
        why: for people.
        forever: False where the next run should try again.
    """

    def __init__(self, why: str, *, forever: bool) -> None:
        super().__init__(why)
        self.why, self.forever = why, forever


class Provider(Protocol):
    """A source of GIFs."""

    @property
    def name(self) -> str:
        """A short word, part of each GIF's id and of its file's name."""
        ...

    @property
    def terms(self) -> str:
        """A notice that must stand wherever its GIFs are listed; "" for none."""
        ...

    @property
    def folder(self) -> Path | None:
        """The folder that has its GIFs, each at its path `media`; None for GIFs that are downloaded.

        GIFs of a folder stay there, and each run lists them anew; others are downloaded once and kept.
        """
        ...

    def searches(self) -> tuple[Search, ...]:
        """Return all searches, those of one show together."""
        ...

    def search(self, search: Search, cursor: str) -> Page:
        """Return one page of results; the cursor of the first is "".

        Raises:
            TrainingError: there is no response; earlier pages are kept.
        """
        ...

    def fetch(self, found: Found) -> bytes:
        """Return the bytes of one GIF.

        Raises:
            Gone, GifTooLarge, UnreadableFile: this GIF is set aside, and the collector continues.
            TrainingError: no further GIF can be fetched for now.
        """
        ...


class Folder:
    """GIFs of this machine: FOLDER/SHOW/*.gif, or FOLDER/SHOW/USERNAME/*.gif where their makers are known.

    Files with the other suffixes of `services.names.PICTURES` count as GIFs.

    Args:
        path: of the folder; each folder in it is named after a show.
        max_bytes: of one GIF.
    """

    name = "folder"
    terms = ""

    def __init__(self, path: Path, *, max_bytes: int = MAX_GIF_BYTES) -> None:
        self.folder, self._max_bytes = path, max_bytes

    def searches(self) -> tuple[Search, ...]:
        """Return one search for each folder, sorted by name.

        Raises:
            InvalidCollection: the folder cannot be read, or has no folder in it.
        """
        try:
            entries = [entry for entry in self.folder.iterdir() if not entry.name.startswith(".")]
            folders = sorted(name_text(entry.name) for entry in entries if entry.is_dir())
        except OSError as error:
            raise InvalidCollection(str(self.folder), f"it cannot be read: {os_reason(error)}") from error
        if not folders:
            raise InvalidCollection(str(self.folder), "it has no folder of a show in it: FOLDER/SHOW/*.gif")
        return tuple(Search(name) for name in folders)

    def search(self, search: Search, cursor: str) -> Page:
        """Return all GIFs of a show on one page, sorted by path."""
        root = self.folder / name_from_text(search.show)
        files = sorted(path for path in root.rglob("*") if is_picture(path.name) and path.is_file())
        return Page(tuple(self._found(path, search.show) for path in files))

    def fetch(self, found: Found) -> bytes:
        """Read one file of at most `max_bytes`."""
        path = self.folder / name_from_text(found.media)
        if name_text(str(path.absolute())) != str(path.absolute()):
            raise UnreadableFile(found.media, "no manifest can hold its name, which is not UTF-8: rename it")
        return read_gif(path, most=self._max_bytes)

    def _found(self, path: Path, show: str) -> Found:
        inside = path.relative_to(self.folder)
        username = inside.parts[1] if len(inside.parts) > 2 else ""
        name = name_text(inside.as_posix())
        identity = hashlib.sha256(name.encode()).hexdigest()[:16]
        return Found(identity, show, "", name, name_text(username), name_text(path.stem), name)
