"""Known clips by show, in a file beside the model: same footage found again, and shows taught by examples."""

from services.inference.library.current import CurrentLibrary, OpenLibrary
from services.inference.library.embedding import project
from services.inference.library.file import (
    DIGEST_BYTES,
    KnownClip,
    Library,
    add_clips,
    check_model,
    update_library,
)
from services.inference.library.fingerprint import fingerprint
from services.inference.library.search import find_neighbours, search_library
from services.inference.library.teaching import TaughtShows, TeachingBase

__all__ = [
    "DIGEST_BYTES",
    "CurrentLibrary",
    "KnownClip",
    "Library",
    "OpenLibrary",
    "TaughtShows",
    "TeachingBase",
    "add_clips",
    "check_model",
    "find_neighbours",
    "fingerprint",
    "project",
    "search_library",
    "update_library",
]
