"""Every frame of the decoder corpus beside Chromium's, file by file.

`chromium.csv` has, for each file, how many frames Chromium counts, their durations, and zlib.crc32 of the RGB
bytes of the first 60 frames that it can decode, with 0 0 0 where alpha is 0.
"""

from __future__ import annotations

import zlib

import pytest

from services.errors import CorruptGif
from services.preprocess import Budget, render_frames
from services.preprocess.backend import Backend
from services.preprocess.container import scan
from tests.shared import SHARED, needs_shared, read_table

FRAMES = 60
ROWS = {row["path"]: row for row in read_table("corpus/chromium.csv")}
EXCEPTIONS = {
    "pygif/max-height.gif": "1 x 65,535 pixels: longer than Chromium draws; the file is whole",
    "pygif/max-width.gif": "65,535 x 1 pixels: longer than Chromium draws; the file is whole",
}


def browser(path: str) -> tuple[list[int], list[int], int]:
    """Checksums and durations of the frames that Chromium can decode, and how many whole frames it counts."""
    row = ROWS[path]
    checksums = [int(number) for number in row["crc32"].split()]
    durations = [int(number) for number in row["durations_ms"].split()]
    return checksums, durations, len(checksums) if row["error"] else int(row["frames"])


def ours(path: str, backend: Backend) -> tuple[list[int], list[int], int]:
    """The same of ours: up to the first frame that is broken."""
    gif = (SHARED / "corpus" / path).read_bytes()
    try:
        frames = scan(gif, Budget(max_canvas_pixels=2**32)).frames
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


@needs_shared
@pytest.mark.parametrize("path", [path for path in ROWS if path not in EXCEPTIONS] or ["no corpus"])
def test_every_frame_is_chromiums(path: str, backend: Backend) -> None:
    assert ours(path, backend) == browser(path)


@needs_shared
@pytest.mark.parametrize("path", EXCEPTIONS)
def test_an_exception_is_really_different(path: str, backend: Backend) -> None:
    assert ours(path, backend) != browser(path), f"{path} agrees by now: no exception any more"


@needs_shared
def test_exceptions_are_few() -> None:
    assert len(EXCEPTIONS) <= 0.03 * len(ROWS)
