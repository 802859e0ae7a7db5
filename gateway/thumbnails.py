"""Small pictures of the clips of a library, in a folder beside its file.

A library holds no pictures. Where they are wanted, `my.library.thumbnails/` has one JPEG file for each clip,
named after the digest of the clip's name, so that no name of a GIF ever becomes a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from services.clip import CLIP_FRAMES, CLIP_SIZE, Clip
from services.errors import LibraryError, os_reason
from services.files import replacing

QUALITY = 80  # of JPEG, 1..95: about 10 KB a frame
SIDE = 120  # a thumbnail has the pixels of a square of this side: 160 x 90 for a GIF of 16:9
DIGITS = 32  # of the digest that a file is named after


class Thumbnails:
    """The thumbnails of one library. Any number of threads and processes may share them.

    Args:
        library: path of the library file.
    """

    def __init__(self, library: Path) -> None:
        self.folder = library.with_name(f"{library.name}.thumbnails")

    def exist(self) -> bool:
        """Whether thumbnails were ever kept of this library."""
        return self.folder.is_dir()

    def read(self, name: str) -> bytes | None:
        """Return the JPEG file of the clip of this name; None if there is none.

        Raises:
            LibraryError: it cannot be read.
        """
        with self._errors("read"):
            try:
                return self._path(name).read_bytes()
            except FileNotFoundError:
                return None

    def keep(self, name: str, picture: bytes) -> None:
        """Write the JPEG file of a clip in place of an earlier one; a reader sees the old or the new, whole.

        Raises:
            LibraryError: it cannot be written.
        """
        with self._errors("written"):
            self.folder.mkdir(exist_ok=True)
            with replacing(self._path(name)) as partial:
                partial.write_bytes(picture)

    def discard(self, names: Iterable[str]) -> None:
        """Remove the files of these clips, where there are any.

        Raises:
            LibraryError: one of them cannot be removed.
        """
        if self.exist():
            with self._errors("removed"):
                for name in names:
                    self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}.jpg"

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LibraryError(
                str(self.folder), f"a thumbnail cannot be {what}: {os_reason(error)}"
            ) from error


def draw_thumbnail(clip: Clip) -> bytes:
    """Write the frame in the middle of a clip as a small JPEG file."""
    return draw_frame(clip, CLIP_FRAMES // 2, side=SIDE)


def draw_frame(clip: Clip, frame: int, *, side: int = CLIP_SIZE) -> bytes:
    """Write a frame of a clip as a JPEG file.

    The frames of a clip are squares of 224 x 224 pixels. The picture has the shape of what the clip shows:
    the GIF without borders such as letterbox bars.

    Args:
        clip: from `services.preprocess`.
        frame: its place, 0 to 9.
        side: of the square that has as many pixels as the picture.
    """
    stretch = math.sqrt(clip.source.aspect_ratio) if clip.source else 1.0
    shape = max(round(side * stretch), 1), max(round(side / stretch), 1)
    file = io.BytesIO()
    Image.fromarray(clip.frames[frame]).resize(shape).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
