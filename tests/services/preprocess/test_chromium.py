"""Every frame of the decoder corpus beside Chromium's, file by file.

A part of the corpus lies in tests/corpus, whose README.md describes `chromium.csv`; the rest is shared.
"""

from __future__ import annotations

import zlib

import pytest

from services.errors import CorruptGif
from services.preprocess import Budget, render_frames
from services.preprocess.backend import Backend
from services.preprocess.formats import read
from tests.support.paths import CORPUS, SHARED, read_table

FRAMES = 60
FOLDERS = (SHARED / "corpus", CORPUS)  # of a file that lies in both, the one in the repository is taken
PLACES = {row["path"]: (folder, row) for folder in FOLDERS for row in read_table(folder / "chromium.csv")}
EXCEPTIONS = {
    "pygif/max-height.gif": "1 x 65,535 pixels: longer than Chromium draws; the file is whole",
    "pygif/max-width.gif": "65,535 x 1 pixels: longer than Chromium draws; the file is whole",
    "pictures/apng-16.png": "blended by 16 bits a sample; Pillow, and so we, keep 8 of them",
    "pictures/png-gamma.png": "colours of another space, which are not converted",
    "pictures/png-wide.png": "colours of another space, which are not converted",
}


def browser(path: str) -> tuple[list[int], list[int], int]:
    """Checksums and durations of the frames that Chromium can decode, and how many whole frames it counts."""
    _, row = PLACES[path]
    checksums = [int(number) for number in row["crc32"].split()]
    durations = [int(number) for number in row["durations_ms"].split()]
    return checksums, durations, len(checksums) if row["error"] else int(row["frames"])


def ours(path: str, backend: Backend) -> tuple[list[int], list[int], int]:
    """The same of ours: up to the first frame that is broken."""
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
def test_every_frame_is_chromiums(path: str, backend: Backend) -> None:
    assert ours(path, backend) == browser(path)


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_an_exception_is_really_different(path: str, backend: Backend) -> None:
    assert ours(path, backend) != browser(path), f"{path} agrees by now: no exception any more"


def test_exceptions_are_few() -> None:
    assert len(EXCEPTIONS) <= 0.03 * len(PLACES)
