"""The library of a running program: it is read again when its file changes."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from services.errors import LibraryError
from services.inference.library.file import Library, check_model
from services.inference.library.teaching import TaughtShows, TeachingBase
from services.inference.prediction import LibraryInfo, ModelInfo

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OpenLibrary:
    """A library that was read, as it is used with a model.

    Attributes:
        clips: the library.
        taught: the shows that it teaches; None if the model file lacks what teaching needs.
        info: what it holds.
    """

    clips: Library
    taught: TaughtShows | None
    info: LibraryInfo


class CurrentLibrary:
    """Reads a library for one model, and reads it again when its file changes. Threads may share one.

    Each new reading is logged. A library that was removed, or cannot be used any more, is logged once as a
    warning. What was read before remains in use until the file changes again.

    Args:
        path: of the library.
        model: that made its embeddings.
        shows: that the model was trained for.
        teaching: from the model file; None if it has none.

    Raises:
        LibraryError: the library cannot be read, or was made with another model.
    """

    def __init__(
        self, path: Path, model: ModelInfo, shows: tuple[str, ...], teaching: TeachingBase | None
    ) -> None:
        self._path, self._model, self._shows, self._teaching = path, model, shows, teaching
        self._lock = threading.Lock()
        self._seen = _stamp(path)  # of the file that was read last, whether it could be used or not
        self._open = self._read()

    def get(self) -> OpenLibrary:
        """Return the library as its file is now. It costs one call of the system if nothing has changed."""
        if _stamp(self._path) != self._seen:
            with self._lock:  # other threads wait: what was added counts for every answer from now on
                stamp = _stamp(self._path)
                if stamp != self._seen:
                    try:
                        self._open = self._read()
                        _log.info(
                            "the library was read again", extra={"clip_count": self._open.info.clip_count}
                        )
                    except LibraryError as error:
                        _log.warning("the library is used as it was before it changed: %s", error.message)
                    self._seen = stamp
        return self._open

    def _read(self) -> OpenLibrary:
        library = Library(self._path)
        check_model(library, self._model)
        taught = None if self._teaching is None else TaughtShows(library, self._shows, self._teaching)
        return OpenLibrary(library, taught, LibraryInfo(len(library), library.titles, library.sha256))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one version of a file from the next; None if there is no file, or none to see."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
