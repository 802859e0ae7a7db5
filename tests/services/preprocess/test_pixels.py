"""The clips of corpus and examples are those of `PIXELS_VERSION`, to the last bit, by every backend."""

from __future__ import annotations

import zlib

from services.errors import GifError
from services.preprocess import PIXELS_VERSION, decode_gif
from services.preprocess.backend import Backend
from tests.support.golden import assert_golden_lines
from tests.support.paths import EXAMPLES, corpus_files


def describe(gif: bytes, backend: Backend) -> str:
    """The CRC-32 of the clip's frames, or the reason why there is no clip."""
    try:
        return f"{zlib.crc32(decode_gif(gif, backend=backend).frames.tobytes()):08x}"
    except GifError as error:
        return error.reason


def test_the_clips_are_those_of_this_version(backend: Backend) -> None:
    paths = [*corpus_files(), *sorted(EXAMPLES.glob("*.gif"))]

    found = [f"{path.parent.name}/{path.name} {describe(path.read_bytes(), backend)}" for path in paths]

    assert_golden_lines("pixels", PIXELS_VERSION, found)
