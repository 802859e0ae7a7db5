"""The library of a server: its shows, its thumbnails, and the GIFs that its users teach.

Only this module of the REST gateway reads and changes the library file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.thumbnails import Thumbnails, draw_thumbnail
from services.clip import Clip
from services.errors import LibraryReadOnly, NotInLibrary
from services.inference import Classifier
from services.inference.library import CurrentLibrary, KnownClip, Library, update_library
from services.names import name_text

DIGITS = 8  # of the digest that tells two GIFs of one name apart


@dataclass(frozen=True)
class Taught:
    """A clip that was put into the library, or was removed from it.

    Attributes:
        name: of the GIF in the library.
        show: title.
        clip_count: how many clips of this show the library has now.
    """

    name: str
    show: str
    clip_count: int


class ServedLibrary:
    """The library of a running server. Any number of threads may share one.

    Args:
        path: of the library file. It is read when it is first used, and again when it changes.
        teacher: computes what the library keeps of a GIF; None for a library that is only read. With one, a
            missing file is made.
        keep_thumbnails: whether to keep a thumbnail of each GIF that is taught.

    Attributes:
        writable: whether GIFs can be taught.
        keeps_thumbnails: as given.

    Raises:
        LibraryError: with a teacher, the file cannot be read or written, or another model made it.
    """

    def __init__(
        self, path: Path, *, teacher: Classifier | None = None, keep_thumbnails: bool = False
    ) -> None:
        self.writable, self.keeps_thumbnails = teacher is not None, keep_thumbnails
        self._path, self._teacher, self._thumbnails = path, teacher, Thumbnails(path)
        if teacher is not None:
            update_library(path, teacher.model, lambda clips: clips)  # can it be written?
        self._names: tuple[Library, frozenset[str]] | None = None

    @functools.cached_property
    def _library(self) -> CurrentLibrary:
        return CurrentLibrary(self._path, Library(self._path).model, (), None)

    @property
    def has_thumbnails(self) -> bool:
        """Whether thumbnails were ever kept of this library."""
        return self._thumbnails.exist()

    def shows(self) -> dict[str, int]:
        """Return how many clips each show has, in the order in which the shows were added first.

        Raises:
            LibraryError: the file cannot be read.
        """
        library = self._library.get().clips
        counts = np.bincount(library.shows, minlength=len(library.titles)).tolist()
        return dict(zip(library.titles, counts, strict=True))

    def thumbnail(self, name: str) -> bytes:
        """Return the JPEG file of the clip of this name.

        Raises:
            NotInLibrary: the library has no such clip, or no thumbnail of it.
            LibraryError: a file cannot be read.
        """
        library = self._library.get().clips
        if self._names is None or self._names[0] is not library:
            self._names = library, frozenset(map(library.name, range(len(library))))
        if name not in self._names[1]:
            raise NotInLibrary(name)
        picture = self._thumbnails.read(name)
        if picture is None:
            raise NotInLibrary(name, what="thumbnail")
        return picture

    def teach(self, clip: Clip, *, show: str, name: str, sha256: str) -> Taught:
        """Put a clip into the library. The same clip under the same name is replaced.

        Args:
            clip: from `services.preprocess`.
            show: title.
            name: of the file, or "". If the library has another clip of this name, the digest is added to it.
            sha256: digest of the GIF, hexadecimal.

        Raises:
            LibraryReadOnly: this server takes no GIFs.
            LibraryError: the library cannot be written.
            ModelError: the model failed.
        """
        teacher = self._must_teach()
        described = teacher.describe_clip(clip, show=show, name=name_text(name) or sha256[:DIGITS])
        taught, clips = described, 0

        def add(before: list[KnownClip]) -> list[KnownClip]:
            nonlocal taught, clips
            other = next((each for each in before if each.name == described.name), None)
            if other is not None and not _is_same(described, other):
                taught = dataclasses.replace(described, name=_with_digest(described.name, sha256))
            after = list({each.name: each for each in (*before, taught)}.values())
            clips = _count(after, show)
            return after

        update_library(self._path, teacher.model, add)
        if self.keeps_thumbnails:
            self._thumbnails.keep(taught.name, draw_thumbnail(clip))
        else:
            self._thumbnails.discard([taught.name])  # of a clip that had this name before
        return Taught(taught.name, show, clips)

    def forget(self, name: str) -> Taught:
        """Remove a clip and its thumbnail.

        Raises:
            NotInLibrary: the library has no clip of this name.
            LibraryReadOnly: this server changes no library.
            LibraryError: the library cannot be written.
        """
        teacher = self._must_teach()
        show, clips = "", 0

        def remove(before: list[KnownClip]) -> list[KnownClip]:
            nonlocal show, clips
            found = next((each for each in before if each.name == name), None)
            if found is None:
                raise NotInLibrary(name)
            self._thumbnails.discard([name])  # first: a picture must not outlive its clip
            after = [each for each in before if each is not found]
            show, clips = found.show, _count(after, found.show)
            return after

        update_library(self._path, teacher.model, remove)
        return Taught(name, show, clips)

    def _must_teach(self) -> Classifier:
        if self._teacher is None:
            raise LibraryReadOnly
        return self._teacher


def _is_same(clip: KnownClip, other: KnownClip) -> bool:
    """Whether two clips show the same pixels."""
    return np.array_equal(clip.fingerprints, other.fingerprints) and np.array_equal(
        clip.embedding, other.embedding
    )


def _with_digest(name: str, sha256: str) -> str:
    """Return "some.gif" as "some-1a2b3c4d.gif"."""
    path = Path(name)
    return f"{name.removesuffix(path.suffix)}-{sha256[:DIGITS]}{path.suffix}"


def _count(clips: list[KnownClip], show: str) -> int:
    return Counter(clip.show for clip in clips)[show]
