from __future__ import annotations

import struct

import numpy as np
import pytest

from services.errors import CorruptGif, GifTooLarge, NotAGif
from services.preprocess.container import Budget, Disposal, Rect
from services.preprocess.formats import read
from services.preprocess.formats.gif import MAX_EXTENSIONS, MAX_SUB_BLOCKS
from tests.support.gif_writer import COLOURS, Picture, plain, write_gif, write_picture

BUDGET = Budget()


def test_all_fields_of_a_frame_are_read() -> None:
    local = bytes(reversed(COLOURS))
    picture = Picture(
        plain(3, 5, 2),
        left=4,
        top=1,
        delay_cs=300,
        disposal=2,
        transparent=6,
        palette=local,
        interlaced=True,
    )

    gif = write_gif(20, 10, [Picture(plain(20, 10, 1)), picture])
    container = read(gif, BUDGET)

    assert (container.width, container.height) == (20, 10)
    first, second = container.frames
    assert first.palette == COLOURS
    assert first.transparent is None and first.opaque and not first.interlaced
    assert second.rect == Rect(left=4, top=1, right=7, bottom=6)
    assert second.delay_ms == 3000
    assert second.disposal is Disposal.CLEAR
    assert second.transparent == 6 and not second.opaque and second.interlaced
    assert second.palette == local
    assert second.code_size == 3
    assert gif[second.start - 1] == 3 and gif[second.stop - 1] == 0 and gif[second.stop :] == b";"


@pytest.mark.parametrize(
    ("written", "meant"),
    [(0, 1), (1, 1), (2, 2), (3, 3), (4, 3), (5, 1), (6, 1), (7, 1)],
)
def test_every_disposal_has_a_meaning(written: int, meant: int) -> None:
    frame = read(write_gif(4, 4, [Picture(plain(4, 4, 1), disposal=written)]), BUDGET).frames[0]

    assert frame.disposal == meant


def test_a_graphic_control_applies_to_one_image() -> None:
    timed = write_picture(Picture(plain(2, 2, 1), delay_cs=70, disposal=3, transparent=1))
    untimed = write_picture(Picture(plain(2, 2, 1)))[8:]  # without its graphic control extension

    frames = read(write_gif(2, 2, [])[:-1] + timed + untimed + b";", BUDGET).frames

    assert (frames[0].delay_ms, frames[0].disposal, frames[0].transparent) == (700, Disposal.RESTORE, 1)
    assert (frames[1].delay_ms, frames[1].disposal, frames[1].transparent) == (0, Disposal.KEEP, None)


def test_a_transparent_index_beyond_the_code_size_is_ignored() -> None:
    frame = read(write_gif(2, 2, [Picture(plain(2, 2, 1), transparent=8)]), BUDGET).frames[0]

    assert frame.opaque


def test_other_extensions_are_skipped() -> None:
    comment = b"!\xfe\x03hey\x00"
    application = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    empty = write_gif(2, 2, [])[:-1]

    container = read(empty + comment + application + write_picture(Picture(plain(2, 2, 1))) + comment, BUDGET)

    assert len(container.frames) == 1


def test_only_the_first_frame_can_enlarge_the_canvas() -> None:
    outside = Picture(plain(4, 2, 1), left=3, top=1)

    grown = read(write_gif(4, 4, [outside]), BUDGET)
    fixed = read(write_gif(4, 4, [Picture(plain(1, 1, 1)), outside]), BUDGET)

    assert (grown.width, grown.height) == (7, 4)
    assert (fixed.width, fixed.height) == (4, 4)


@pytest.mark.parametrize("end", [b";", b"\x00", b"GIF89a", b"!\xf9\x03\x00\x00\x00\x00", b"!\xf9"])
def test_the_animation_ends_at_the_first_invalid_block(end: bytes) -> None:
    whole = write_gif(2, 2, [Picture(plain(2, 2, 1))])[:-1]

    assert len(read(whole + end, BUDGET).frames) == 1
    assert len(read(whole + end + write_picture(Picture(plain(2, 2, 1))), BUDGET).frames) == 1


def test_a_code_size_above_8_ends_the_animation() -> None:
    good = write_picture(Picture(plain(2, 2, 1)))
    bad = good[:18] + b"\x09" + good[19:]
    empty = write_gif(2, 2, [])[:-1]

    assert len(read(empty + good + bad + good + b";", BUDGET).frames) == 1
    for nothing in (empty + bad + b";", empty + b";"):
        with pytest.raises(CorruptGif, match="not one frame is whole"):
            read(nothing, BUDGET)


@pytest.mark.parametrize(("size", "shown"), [((0, 0), (5, 3)), ((0, 9), (5, 9)), ((9, 0), (9, 3))])
def test_an_empty_canvas_takes_the_size_of_the_first_frame(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    container = read(write_gif(*size, [Picture(plain(2, 2, 1), left=3, top=1)]), BUDGET)

    assert (container.width, container.height) == shown


def test_an_empty_canvas_with_an_empty_first_frame_is_corrupt() -> None:
    empty = Picture(np.empty((4, 0), np.uint8), data=b"\0")

    with pytest.raises(CorruptGif, match="its canvas is empty \\(0 x 4 pixels\\)"):
        read(write_gif(0, 0, [empty, Picture(plain(2, 2, 1))]), BUDGET)


SECOND_SUB_BLOCK = b"!\xf9\4\0\5\0\0\2ab\0"


def test_a_control_extension_with_a_second_sub_block_ends_the_animation() -> None:
    image = write_picture(Picture(plain(2, 2, 1)))[8:]
    whole = write_picture(Picture(plain(2, 2, 1)))
    empty = write_gif(2, 2, [])[:-1]

    assert len(read(empty + whole + SECOND_SUB_BLOCK + image + whole, BUDGET).frames) == 1
    with pytest.raises(CorruptGif):
        read(empty + SECOND_SUB_BLOCK + image + whole, BUDGET)


def test_extensions_and_sub_blocks_are_limited() -> None:
    gif = write_gif(2, 2, [Picture(plain(2, 2, 1))])[:-1]  # one extension

    assert read(gif + b"!\xfe\0" * (MAX_EXTENSIONS - 1), BUDGET)
    with pytest.raises(GifTooLarge, match="structure is limited to 100,000 extensions"):
        read(gif + b"!\xfe\0" * MAX_EXTENSIONS, BUDGET)
    with pytest.raises(GifTooLarge, match="structure is limited to 2,000,000 sub-blocks"):
        read(gif + b"!\xfe" + b"\1a" * MAX_SUB_BLOCKS + b"\0", BUDGET)


def test_a_gif_that_ends_in_its_header_is_corrupt() -> None:
    for length in range(6, 13):
        with pytest.raises(CorruptGif, match="it ends inside its header"):
            read(write_gif(5, 5, [])[:length], BUDGET)
    with pytest.raises(NotAGif):
        read(b"GIF89", BUDGET)


GIF = write_gif(6, 5, [Picture(plain(6, 5, 1)), Picture(plain(2, 2, 2)), Picture(plain(1, 1, 3))])


@pytest.mark.parametrize(
    ("limit", "found", "unit"),
    [("max_bytes", len(GIF), "bytes"), ("max_canvas_pixels", 30, "pixels"), ("max_frames", 3, "frames")],
)
def test_a_limit_of_the_budget_is_inclusive(limit: str, found: int, unit: str) -> None:
    assert len(read(GIF, Budget(**{limit: found})).frames) == 3
    with pytest.raises(GifTooLarge) as refused:
        read(GIF, Budget(**{limit: found - 1}))
    assert refused.value.details["allowed"] == str(found - 1)
    assert refused.value.details["found"] == str(found)
    assert refused.value.details["unit"] == unit


def test_frames_over_the_limit_are_counted_to_the_end() -> None:
    local = Picture(plain(2, 2, 1), palette=COLOURS)
    comment = b"!\xfe\x03hey\x00"
    gif = write_gif(2, 2, [local] * 7)[:-1] + comment + write_picture(local) + b"!"

    with pytest.raises(GifTooLarge, match="limited to 3 frames, this one has 8"):
        read(gif, Budget(max_frames=3))


def test_a_canvas_is_limited_after_it_has_grown() -> None:
    gif = write_gif(4, 4, [Picture(plain(1, 1, 1), left=9, top=0)])

    assert read(gif, Budget(max_canvas_pixels=40)).width == 10
    with pytest.raises(GifTooLarge, match="canvas is limited to 39 pixels, this one has 40"):
        read(gif, Budget(max_canvas_pixels=39))


def test_one_frame_is_limited_too() -> None:
    # Decoding would allocate 30,000 x 30,000 pixels outside a tiny canvas.
    huge = b"," + struct.pack("<HHHHB", 60_000, 60_000, 30_000, 30_000, 0) + b"\x02\x02\x4c\x01\x00"
    gif = write_gif(4, 4, [Picture(plain(4, 4, 1))])[:-1] + huge + b";"

    with pytest.raises(GifTooLarge, match="frame is limited to 16,000,000 pixels, this one has 900,000,000"):
        read(gif, BUDGET)
