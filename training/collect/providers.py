"""Where GIFs come from: **searches** -> a provider -> **pages of what was found**, and the bytes of each GIF.

A provider is any class with the names of `Provider`. The collector asks it page by page, remembers each
answer, and never asks for the same page or the same GIF again; docs/collect.md shows how to add one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.errors import GifTooLarge, UnreadableFile, os_reason
from services.names import is_picture, name_from_text, name_text
from training.errors import InvalidCollection

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes part of a file's name


@dataclass(frozen=True)
class Search:
    """One question to a provider.

    Attributes:
        show: title that its GIFs are of.
        query: words to ask with; empty where the provider knows the show by itself.
        rating: of the audience, see `ShowOptions`.
        language: of the words.
        results: how many GIFs are wanted.
    """

    show: str
    query: str = ""
    rating: str = ""
    language: str = ""
    results: int = 0

    @property
    def key(self) -> str:
        """Names the question: the same for as long as the answers are. More results go on, not anew."""
        return json.dumps([self.show, self.query, self.rating, self.language], ensure_ascii=False)


@dataclass(frozen=True)
class Found:
    """One GIF that a provider knows.

    Attributes:
        id: letters, digits, `-` and `_`, unique at the provider.
        show: title of the search that found it.
        query: words of that search.
        address: for people, where it is shown; its terms hold there.
        username: of who published it, empty where nobody says.
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
            raise ValueError(f"a GIF's id is of letters, digits, - and _: {self.id!r}")


@dataclass(frozen=True)
class Page:
    """One answer of a provider.

    Attributes:
        found: GIFs, in the provider's order; some may have come before.
        next: cursor of the next page, None at the end.
        left_out: what was on the page and is no GIF to learn from, such as stickers.
        attempts: how often an empty page was asked for that does not say that it is the last; such a page is
            not remembered, and the next run asks again. 0 for a page that is what it says.
    """

    found: tuple[Found, ...]
    next: str | None = None
    left_out: int = 0
    attempts: int = 0


class Gone(Exception):
    """A provider cannot give the bytes of one GIF, now or later.

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
        """What must be said wherever its GIFs are listed; empty where nothing must."""
        ...

    @property
    def folder(self) -> Path | None:
        """Where its GIFs lie already, each at the path that `media` says; None for GIFs from elsewhere.

        Those of a folder are left there and looked for anew each time; others are fetched once and kept.
        """
        ...

    def searches(self) -> tuple[Search, ...]:
        """All questions to ask, those of one show behind one another."""
        ...

    def search(self, search: Search, cursor: str) -> Page:
        """One page of answers; the first has the cursor "".

        Raises:
            TrainingError: there is no answer; what was answered before is kept.
        """
        ...

    def fetch(self, found: Found) -> bytes:
        """The bytes of one GIF.

        Raises:
            Gone, GifTooLarge, UnreadableFile: this GIF is set aside, and the others go on.
            TrainingError: nothing more can be fetched for now.
        """
        ...


class Folder:
    """GIFs on this machine: FOLDER/SHOW/*.gif, or FOLDER/SHOW/USERNAME/*.gif where it is known who made them.

    Files of the other formats of `services.names.PICTURES` are GIFs, too.

    Args:
        path: of the folder; each folder in it is a show, named after it.
        max_bytes: of one GIF.
    """

    name = "folder"
    terms = ""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self.folder, self._max_bytes = path, max_bytes

    def searches(self) -> tuple[Search, ...]:
        """One for each folder, by name.

        Raises:
            InvalidCollection: the folder cannot be read, or has no folder in it.
        """
        try:
            folders = sorted(name_text(entry.name) for entry in self.folder.iterdir() if _is_show(entry))
        except OSError as error:
            raise InvalidCollection(str(self.folder), f"it cannot be read: {os_reason(error)}") from error
        if not folders:
            raise InvalidCollection(str(self.folder), "it has no folder of a show in it: FOLDER/SHOW/*.gif")
        return tuple(Search(name) for name in folders)

    def search(self, search: Search, cursor: str) -> Page:
        """All GIFs of a show on one page, by path."""
        root = self.folder / name_from_text(search.show)
        files = sorted(path for path in root.rglob("*") if is_picture(path.name) and path.is_file())
        return Page(tuple(self._found(path, search.show) for path in files))

    def fetch(self, found: Found) -> bytes:
        """Read one file, within the limit of its size."""
        path = self.folder / name_from_text(found.media)
        if name_text(str(path.absolute())) != str(path.absolute()):
            raise UnreadableFile(found.media, "no manifest can hold its name, which is not UTF-8: rename it")
        try:
            size = path.stat().st_size
            if size > self._max_bytes:
                raise GifTooLarge("length", allowed=self._max_bytes, found=size, unit="bytes")
            return path.read_bytes()
        except OSError as error:
            raise UnreadableFile(str(path), os_reason(error)) from error

    def _found(self, path: Path, show: str) -> Found:
        inside = path.relative_to(self.folder)
        username = inside.parts[1] if len(inside.parts) > 2 else ""
        name = name_text(inside.as_posix())
        identity = hashlib.sha256(name.encode()).hexdigest()[:16]
        return Found(identity, show, "", name, name_text(username), name_text(path.stem), name)


def _is_show(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
