"""The compiled backend gives the same pixels and the same errors as the portable one."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "numba", reason="This test needs Numba, which is not installed: the extra [fast] brings it."
)

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.clip import CLIP_CHANNELS, CLIP_SIZE
from services.errors import GifError
from services.preprocess import decode_gif
from services.preprocess.backend import Backend, compiled, portable
from services.preprocess.container import Blend, BrokenDataError, Disposal, Rect
from services.preprocess.formats.gif import GifFrame
from tests.support.animations import Animation, animations, apngs, webps
from tests.support.gif_writer import sub_blocks
from tests.support.paths import SHARED, corpus_files, read_table

_T = TypeVar("_T")
BOTH = portable(), compiled()


def frame_of(data: bytes, width: int, height: int, code_size: int, *, interlaced: bool = False) -> GifFrame:
    """A frame whose data is the whole GIF."""
    rect = Rect(0, 0, width, height)
    return GifFrame(rect, 0, Disposal.KEEP, None, interlaced, b"", code_size, 0, len(data))


def decompressed(backend: Backend, data: bytes, frame: GifFrame) -> list[list[int]] | str:
    """The palette indices, or "broken"."""
    try:
        return backend.decompress(data, frame).tolist()  # type: ignore[no-any-return]
    except BrokenDataError:
        return "broken"


@st.composite
def lzw_codes(draw: st.DrawFn) -> tuple[int, bytes]:
    """Codes with the widths that a decoder expects, most of them defined."""
    code_size = draw(st.integers(0, 8))
    clear = 1 << code_size
    number = position = 0
    width, free, first = code_size + 1, clear + 2, True
    for share in draw(st.lists(st.floats(0, 1), max_size=400)):
        kind = int(share * 1000) % 100
        if kind == 0:
            code = clear
        elif kind == 1:
            code = clear + 1
        elif kind == 2:
            code = int(share * ((1 << width) - 1))  # any
        elif kind < 20 and not first:
            code = min(free, 4095)  # the previous string and its first letter
        elif first or share < 0.3:
            code = int(share * (clear - 1))
        else:
            code = clear + 2 + int(share * (free - clear - 2)) if free > clear + 2 else 0
        code &= (1 << width) - 1  # one bit can only be clear
        number |= code << position
        position += width
        if code == clear:
            width, free, first = code_size + 1, clear + 2, True
        elif free < 4096:
            free += not first  # the first code completes no string
            first = False
            width += width < 12 and free >> width & 1
    return code_size, number.to_bytes(position // 8 + 1, "little")


@given(lzw_codes(), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(1, 255))
def test_any_codes_give_the_same_pixels_or_the_same_error(
    codes: tuple[int, bytes], width: int, height: int, interlaced: bool, block: int
) -> None:
    code_size, raw = codes
    data = sub_blocks(raw, block)
    frame = frame_of(data, width, height, code_size, interlaced=interlaced)

    assert decompressed(compiled(), data, frame) == decompressed(portable(), data, frame)


@given(st.binary(max_size=600), st.integers(0, 8), st.integers(1, 30), st.integers(1, 30))
@example(b"", 2, 1, 1)
@example(b"\x05", 2, 1, 1)  # an incomplete sub-block
@example(b"\x01\x04", 2, 1, 1)  # no end
def test_any_bytes_give_the_same_pixels_or_the_same_error(
    data: bytes, code_size: int, width: int, height: int
) -> None:
    frame = frame_of(data, width, height, code_size)

    assert decompressed(compiled(), data, frame) == decompressed(portable(), data, frame)


@pytest.mark.parametrize("count", [1, 254, 4095, 4096, 70_000, 9_000_000])
def test_strings_as_long_as_the_table_allows(count: int) -> None:
    # Each code is the previous string and its first letter: strings of 1, 2, 3 ... pixels.
    codes, width, free, number, position = [4, 0], 3, 6, 0, 0
    codes += [*range(6, 4096), *[4095] * 60]
    for code in codes:
        number |= code << position
        position += width
        if code not in (4, 0) and free < 4096:
            free += 1
            width += free == 1 << width and width < 12
    data = sub_blocks(number.to_bytes(position // 8 + 1, "little"))
    frame = frame_of(data, count, 1, 2)

    assert decompressed(compiled(), data, frame) == decompressed(portable(), data, frame)


@st.composite
def pictures_and_parts(draw: st.DrawFn) -> tuple[NDArray[np.uint8], Rect]:
    """Noise of any size, and a non-empty part of it."""
    width, height = draw(st.integers(1, 1000)), draw(st.integers(1, 1000))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    noise = np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 256, (height, width, 4), np.uint8)
    if draw(st.booleans()):
        noise = np.where(noise < 128, 0, 255).astype(np.uint8)
    return noise, Rect(left, top, right, bottom)


@given(pictures_and_parts())
def test_any_part_of_any_picture_is_scaled_to_the_same_pixels(
    picture_and_part: tuple[NDArray[np.uint8], Rect],
) -> None:
    picture, part = picture_and_part

    expected, found = np.zeros((2, CLIP_SIZE, CLIP_SIZE, CLIP_CHANNELS), np.uint8)

    for backend, frame in zip(BOTH, (expected, found), strict=True):
        backend.resize(picture, part, frame)

    assert np.array_equal(found, expected)


@given(pictures_and_parts(), st.integers(1, 4), st.tuples(*[st.integers(0, 255)] * 6), st.booleans())
def test_borders_are_measured_alike(
    picture_and_part: tuple[NDArray[np.uint8], Rect], count: int, bounds: tuple[int, ...], columns: bool
) -> None:
    picture, part = picture_and_part
    pictures = np.stack([np.roll(picture, shift) for shift in range(count)]).view(np.uint32)[..., 0]
    darkest, brightest = np.sort(np.array(bounds, np.uint8).reshape(2, 3), axis=0)
    span = darkest, brightest

    colours = [backend.middle_colour(pictures, part) for backend in BOTH]
    counts = [backend.count_near(pictures, part, span, columns=columns) for backend in BOTH]

    assert np.array_equal(*colours)
    assert np.array_equal(*counts)
    assert len(counts[0]) == part.size[not columns]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (895, 895), (896, 4000), (9001, 17), (3000, 3001)])
def test_a_canvas_is_shrunk_to_the_same_pixels(height: int, width: int) -> None:
    canvas = np.random.default_rng(1).integers(0, 2**32, (height, width), np.uint32)

    expected, found = (backend.shrink(canvas) for backend in BOTH)

    assert found.shape == expected.shape
    assert np.array_equal(found[:, :, :3], expected[:, :, :3])  # the fourth byte is undefined


@given(animations(), st.integers(1, 3))
def test_any_animation_makes_the_same_clip(animation: Animation, threads: int) -> None:
    expected = decode_gif(animation.gif, backend=portable())

    clip = decode_gif(animation.gif, backend=compiled(), threads=threads)

    assert np.array_equal(clip.frames, expected.frames)
    assert clip.source == expected.source


@given(st.sampled_from([apngs, webps]), st.data())
def test_any_animated_picture_makes_the_same_clip(
    kind: Callable[[], st.SearchStrategy[bytes]], data: st.DataObject
) -> None:
    picture = data.draw(kind())

    expected = decode_gif(picture, backend=portable())

    assert np.array_equal(decode_gif(picture, backend=compiled()).frames, expected.frames)


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(1, 300), st.sampled_from(Blend))
def test_any_pixels_are_blended_alike(seed: int, height: int, width: int, rule: Blend) -> None:
    rng = np.random.default_rng(seed)
    under, over = rng.integers(0, 2**32, (2, height, width), np.uint32)
    for pixels in (under, over):
        pixels[rng.random((height, width)) < 0.2] |= 0xFF000000
        pixels[rng.random((height, width)) < 0.2] &= 0x00FFFFFF
    place = Rect(int(rng.integers(0, width)), int(rng.integers(0, height)), width, height)
    canvases = [under.copy() for _ in BOTH]

    for backend, canvas in zip(BOTH, canvases, strict=True):
        backend.blend(canvas, place, over, rule)

    assert np.array_equal(*canvases)
    assert np.array_equal(*(backend.on_black(over) for backend in BOTH))


def clip_or_error(gif: bytes, backend: Backend, threads: int) -> bytes | str:
    try:
        return decode_gif(gif, backend=backend, threads=threads).frames.tobytes()
    except GifError as error:
        return repr(error)


def assert_both_make_the_same(paths: Sequence[Path], threads: int) -> None:
    different = [
        path
        for path in paths
        if clip_or_error(gif := path.read_bytes(), compiled(), threads) != clip_or_error(gif, portable(), 1)
    ]

    assert paths
    assert not different


@pytest.mark.parametrize("threads", [1, 2])
def test_every_file_of_the_corpus_makes_the_same_clip_or_the_same_error(threads: int) -> None:
    assert_both_make_the_same(corpus_files(), threads)


@pytest.mark.corpus
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("folder", "table"), [("corpus", "chromium"), ("shows", "shows"), ("unknown", "unknown")]
)
def test_every_real_gif_makes_the_same_clip_or_the_same_error(folder: str, table: str, threads: int) -> None:
    rows = read_table(SHARED / folder / f"{table}.csv")
    assert_both_make_the_same([SHARED / folder / row["path"] for row in rows], threads)
