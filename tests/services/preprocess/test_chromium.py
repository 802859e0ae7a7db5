"""The frames of the decoder corpus are those of Chromium, and its clips are those of `PIXELS_VERSION`.

A part of the corpus is in tests/corpus, whose README.md describes `chromium.csv`; the rest is shared.
"""

from __future__ import annotations

import zlib

import pytest

from services.errors import CorruptGif, GifError
from services.preprocess import PIXELS_VERSION, Budget, decode_gif, render_frames
from services.preprocess.backend import Backend
from services.preprocess.formats import read
from tests.support.golden import assert_golden_lines
from tests.support.paths import CORPUS, EXAMPLES, SHARED, corpus_files, read_table

FRAMES = 60
FOLDERS = (SHARED / "corpus", CORPUS)  # for a file in both, the second one counts
PLACES = {row["path"]: (folder, row) for folder in FOLDERS for row in read_table(folder / "chromium.csv")}
EXCEPTIONS = {
    "pygif/max-height.gif": "1 x 65,535 pixels: longer than Chromium draws; the file is valid",
    "pygif/max-width.gif": "65,535 x 1 pixels: longer than Chromium draws; the file is valid",
    "pictures/apng-16.png": "blended with 16 bits a sample; Pillow keeps 8 of them",
    "pictures/png-gamma.png": "another colour space, which is not converted",
    "pictures/png-wide.png": "another colour space, which is not converted",
}


def browser(path: str) -> tuple[list[int], list[int], int]:
    """Checksums and durations of the frames that Chromium decodes, and the number of its complete frames."""
    _, row = PLACES[path]
    checksums = [int(number) for number in row["crc32"].split()]
    durations = [int(number) for number in row["durations_ms"].split()]
    return checksums, durations, len(checksums) if row["error"] else int(row["frames"])


def ours(path: str, backend: Backend) -> tuple[list[int], list[int], int]:
    """The same for our decoder, up to the first broken frame."""
    gif = (PLACES[path][0] / path).read_bytes()
    try:
        frames = read(gif, Budget(max_canvas_pixels=2**32)).frames
    except CorruptGif:
        return [], [], 0
    checksums: list[int] = []
    whole = len(frames)
    try:
        for canvas in render_frames(gif, range(min(whole, FRAMES)), backend=backend):
            checksums.append(zlib.crc32(canvas[:, :, :3].tobytes()))
    except CorruptGif:
        whole = len(checksums)
    return checksums, [frame.delay_ms for frame in frames[: len(checksums)]], whole


@pytest.mark.parametrize("path", [path for path in PLACES if path not in EXCEPTIONS])
def test_every_frame_equals_chromiums(path: str, backend: Backend) -> None:
    assert ours(path, backend) == browser(path)


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_an_exception_is_really_different(path: str, backend: Backend) -> None:
    assert ours(path, backend) != browser(path), f"{path} agrees now: remove the exception"


def test_exceptions_are_few() -> None:
    assert len(EXCEPTIONS) <= 0.03 * len(PLACES)


def describe(gif: bytes, backend: Backend) -> str:
    """Return the CRC-32 of the clip's frames, or the reason of the error."""
    try:
        return f"{zlib.crc32(decode_gif(gif, backend=backend).frames.tobytes()):08x}"
    except GifError as error:
        return error.reason


def test_the_clips_are_those_of_this_version(backend: Backend) -> None:
    paths = [*corpus_files(), *sorted(EXAMPLES.glob("*.gif"))]

    found = [f"{path.parent.name}/{path.name} {describe(path.read_bytes(), backend)}" for path in paths]

    assert_golden_lines("pixels", PIXELS_VERSION, found)
