"""The library file: known clips, read into memory and replaced as a whole when it changes.

A file begins with `MAGIC`, the length and the CRC-32 of a header, and the header: JSON that names the model
whose embeddings it holds, the titles of the shows, and the length and CRC-32 of each column. The columns
follow, with one value or one row for each clip. All numbers are little-endian.

A writer holds a lock file, reads the library, writes the new one beside it and renames it over the old one.
A reader therefore sees the old library or the new one, whole; a crash leaves the old one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.clip import CLIP_FRAMES
from services.errors import LibraryError, os_reason
from services.files import replacing
from services.inference.library.embedding import EMBEDDING_SIZE
from services.inference.library.fingerprint import FINGERPRINT_BYTES
from services.inference.prediction import ModelInfo

MAGIC = b"GIFLIB1\n"
_PREFIX = struct.Struct("<8sQI")  # MAGIC, length of the header in bytes, CRC-32 of the header
_ALIGNMENT = 64  # bytes; columns begin at multiples of it
MAX_SHOWS = 65_535  # a show is a uint16
DIGEST_BYTES = 32  # SHA-256

# Name, type and shape of one clip's value of each column but `names`, which is text.
_COLUMNS: dict[str, tuple[str, tuple[int, ...]]] = {
    "shows": ("<u2", ()),
    "times_ms": ("<u4", (CLIP_FRAMES,)),
    "embeddings": ("|i1", (EMBEDDING_SIZE,)),
    "fingerprints": ("|u1", (CLIP_FRAMES, FINGERPRINT_BYTES)),
    "distinct": ("|b1", (CLIP_FRAMES,)),
    "digests": ("|u1", (DIGEST_BYTES,)),
    "name_ends": ("<u8", ()),
}


@dataclass(frozen=True, eq=False)
class KnownClip:
    """One clip of a library.

    Attributes:
        show: title.
        name: of the GIF: a file name or an identifier of its provider. A library has each name once.
        times_ms: when each of the ten frames is shown, from the start of the footage, in milliseconds.
        embedding: int8 [256], see `services.inference.library.embedding`.
        fingerprints: uint8 [10, 60], see `services.inference.library.fingerprint`.
        distinct: bool [10], the frames that can be compared: not flat and not equal to an earlier one.
        digest: SHA-256 of the GIF, so that a GIF that has not changed is not computed again; 32 bytes 0 if it
            is not known.
    """

    show: str
    name: str
    times_ms: tuple[int, ...]
    embedding: NDArray[np.int8]
    fingerprints: NDArray[np.uint8]
    distinct: NDArray[np.bool_]
    digest: bytes = bytes(DIGEST_BYTES)


class Library:
    """The clips of one library file. Any number of threads may share one; it does not change.

    The file is read into memory, not mapped: a program that cuts or overwrites a mapped file in place, as
    `cp` does, would end the process that reads it.

    Args:
        path: of the file.

    Attributes:
        model: whose embeddings it holds.
        sha256: of its header, which has a checksum of every column: it changes with the content.
        titles: of the shows, in the order in which they were added first.
        shows: int [clip], the place of each clip's show in `titles`.
        times_ms: uint32 [clip, 10].
        embeddings: int8 [clip, 256].
        fingerprints: uint8 [clip, 10, 60].
        distinct: bool [clip, 10].
        digests: uint8 [clip, 32].

    Raises:
        LibraryError: the file cannot be read, is not a library, or is damaged.
    """

    model: ModelInfo
    sha256: str
    titles: tuple[str, ...]
    shows: NDArray[np.uint16]
    times_ms: NDArray[np.uint32]
    embeddings: NDArray[np.int8]
    fingerprints: NDArray[np.uint8]
    distinct: NDArray[np.bool_]
    digests: NDArray[np.uint8]

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise LibraryError(str(path), f"it cannot be read: {os_reason(error)}") from error
        self._read(memoryview(content))

    def __len__(self) -> int:
        return len(self.shows)

    def name(self, clip: int) -> str:
        """Return the name of a clip by its place."""
        start = int(self._name_ends[clip - 1]) if clip else 0
        return bytes(self._names[start : int(self._name_ends[clip])]).decode()

    def show(self, clip: int) -> str:
        """Return the show of a clip by its place."""
        return self.titles[int(self.shows[clip])]

    def clips(self) -> Iterator[KnownClip]:
        """Yield all clips, in the order in which they were added."""
        for clip in range(len(self)):
            yield KnownClip(
                self.show(clip),
                self.name(clip),
                tuple(map(int, self.times_ms[clip])),
                self.embeddings[clip],
                self.fingerprints[clip],
                self.distinct[clip],
                self.digests[clip].tobytes(),
            )

    def _read(self, content: memoryview) -> None:
        magic, length, checksum = (
            _PREFIX.unpack_from(content) if len(content) >= _PREFIX.size else (b"", 0, 0)
        )
        if magic != MAGIC:
            raise LibraryError(str(self.path), "it is not a library of GIFs")
        header = bytes(content[_PREFIX.size : _PREFIX.size + length])
        if len(header) != length or zlib.crc32(header) != checksum:
            raise LibraryError(str(self.path), "it is damaged: its header does not fit its checksum")
        described = json.loads(header)
        self.sha256 = hashlib.sha256(header).hexdigest()
        self.model = ModelInfo(**described["model"])
        self.titles = tuple(described["shows"])
        columns: dict[str, NDArray[Any]] = {}
        start = _PREFIX.size + length
        for name in (*_COLUMNS, "names"):
            start += -start % _ALIGNMENT
            end = start + described["columns"][name]["bytes"]
            part = content[start:end]
            if len(part) != end - start or zlib.crc32(part) != described["columns"][name]["crc32"]:
                raise LibraryError(str(self.path), f"it is damaged: its {name} do not fit their checksum")
            dtype, shape = _COLUMNS.get(name, ("|u1", None))
            values = np.frombuffer(part, np.dtype(dtype))
            columns[name] = values if shape is None else values.reshape(described["clips"], *shape)
            start = end
        self._names, self._name_ends = columns.pop("names"), columns.pop("name_ends")
        vars(self).update(columns)


def update_library(
    path: Path, model: ModelInfo, change: Callable[[list[KnownClip]], Sequence[KnownClip]]
) -> Library:
    """Change a library, or make it; other writers wait.

    If no clip changes, the file stays as it is: servers would load another one.

    Args:
        path: of the file; its folder must exist.
        model: whose embeddings the clips have.
        change: is given the clips that are there and returns those that shall be there.

    Raises:
        LibraryError: the file is damaged, holds embeddings of another model, or cannot be written.
    """
    try:
        with _locked(path):
            before = Library(path) if path.exists() else None
            if before is not None:
                check_model(before, model)
            sha256, content = _pack(path, model, change(list(before.clips()) if before else []))
            if before is not None and before.sha256 == sha256:
                return before
            with replacing(path) as partial, partial.open("wb") as file:
                file.writelines(content)
            return Library(path)
    except OSError as error:
        raise LibraryError(str(path), f"it cannot be written: {os_reason(error)}") from error


def add_clips(path: Path, model: ModelInfo, clips: Sequence[KnownClip]) -> Library:
    """Add clips to a library, or make it; a clip takes the place of one of the same name.

    The arguments, the result and the errors are those of `update_library`.
    """
    return update_library(
        path, model, lambda before: list({clip.name: clip for clip in (*before, *clips)}.values())
    )


def check_model(library: Library, model: ModelInfo) -> None:
    """Refuse a library whose embeddings another model made.

    Raises:
        LibraryError: names both models.
    """
    if library.model != model:
        made, used = (f"{info.name} {info.version}" for info in (library.model, model))
        if made == used:
            made = "another model of this name and version"
        raise LibraryError(
            str(library.path), f"it was made with {made}, and this is {used}: build it again with this model"
        )


def _pack(path: Path, model: ModelInfo, clips: Sequence[KnownClip]) -> tuple[str, list[bytes]]:
    """Return the digest of the header of a file, and its parts in their order."""
    titles = {title: place for place, title in enumerate(dict.fromkeys(clip.show for clip in clips))}
    if len(titles) > MAX_SHOWS:
        raise LibraryError(str(path), f"a library has at most {MAX_SHOWS:,} shows, this has {len(titles):,}")
    names = [clip.name.encode() for clip in clips]
    rows: dict[str, Any] = {
        "shows": [titles[clip.show] for clip in clips],
        "times_ms": [clip.times_ms for clip in clips],
        "embeddings": [clip.embedding for clip in clips],
        "fingerprints": [clip.fingerprints for clip in clips],
        "distinct": [clip.distinct for clip in clips],
        "digests": np.frombuffer(b"".join(clip.digest for clip in clips), np.uint8),
        "name_ends": np.cumsum([len(name) for name in names], dtype=np.uint64),
    }
    columns = {
        name: np.asarray(rows[name], np.dtype(dtype)).reshape(len(clips), *shape).tobytes()
        for name, (dtype, shape) in _COLUMNS.items()
    }
    columns["names"] = b"".join(names)
    header = json.dumps(
        {
            "model": vars(model),
            "shows": list(titles),
            "clips": len(clips),
            "columns": {
                name: {"bytes": len(content), "crc32": zlib.crc32(content)}
                for name, content in columns.items()
            },
        }
    ).encode()
    start = _PREFIX.pack(MAGIC, len(header), zlib.crc32(header)) + header
    return hashlib.sha256(header).hexdigest(), [_padded(part) for part in (start, *columns.values())]


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _ALIGNMENT)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Wait until no other process writes this library. The lock ends with the process, however that ends."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
