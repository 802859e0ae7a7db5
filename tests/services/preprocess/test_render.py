from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.errors import CorruptGif, GifTooLarge, NotAGif
from services.preprocess import Budget, render_frames
from tests.support.animations import Animation, animations
from tests.support.gif_writer import CLEAR, KEEP, RESTORE, Picture, pack, plain, show, sub_blocks, write_gif

BLACK, RED, GREEN, BLUE = (0, 0, 0, 255), (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
NOTHING = (0, 0, 0, 0)
ONE, ONE_GREEN, ONE_BLUE, TWO = plain(1, 1, 1), plain(1, 1, 2), plain(1, 1, 3), plain(2, 1, 1)


def rows(gif: bytes, count: int) -> list[list[tuple[int, ...]]]:
    """The only row of each frame of a GIF that is one pixel high."""
    return [[tuple(pixel) for pixel in canvas[0].tolist()] for canvas in render_frames(gif, range(count))]


@pytest.mark.parametrize(
    ("gif", "frames"),
    [
        (
            write_gif(3, 1, [Picture(plain(3, 1, 1)), Picture(ONE_GREEN, left=1)]),
            [[RED, RED, RED], [RED, GREEN, RED]],
        ),
        (write_gif(2, 1, [Picture(ONE)]), [[RED, NOTHING]]),
        (
            write_gif(
                3, 1, [Picture(plain(3, 1, 3)), Picture(np.array([[1, 2, 3]], np.uint8), transparent=2)]
            ),
            [[BLUE] * 3, [RED, BLUE, BLUE]],
        ),
        (
            write_gif(3, 1, [Picture(plain(3, 1, 1)), Picture(ONE, left=1, disposal=CLEAR), Picture(ONE)]),
            [[RED] * 3, [RED] * 3, [RED, NOTHING, RED]],
        ),
        (
            write_gif(2, 1, [Picture(TWO), Picture(plain(2, 1, 2), disposal=RESTORE), Picture(ONE_BLUE)]),
            [[RED, RED], [GREEN, GREEN], [BLUE, RED]],
        ),
        (write_gif(2, 1, [Picture(TWO, disposal=RESTORE), Picture(ONE_BLUE)]), [[RED, RED], [BLUE, NOTHING]]),
        (
            write_gif(2, 1, [Picture(TWO), Picture(plain(3, 4, 2), left=1), Picture(ONE, left=9)]),
            [[RED, RED], [RED, GREEN], [RED, GREEN]],
        ),
        (
            write_gif(1, 1, [Picture(ONE), Picture(ONE, palette=bytes((9, 8, 7) * 8)), Picture(ONE)]),
            [[RED], [(9, 8, 7, 255)], [RED]],
        ),
        (
            write_gif(
                1, 1, [Picture(ONE), *(Picture(np.empty(size, np.uint8)) for size in ((0, 5), (5, 0)))]
            ),
            [[RED]] * 3,
        ),
    ],
    ids=[
        "a frame is drawn at its place",
        "pixels that were never drawn are transparent black",
        "a transparent index draws nothing",
        "disposal CLEAR makes the rectangle transparent",
        "disposal RESTORE restores the rectangle",
        "a restored first frame leaves nothing",
        "pixels outside the canvas are dropped",
        "a local palette replaces the global one",
        "an empty frame draws nothing",
    ],
)
def test_frames_are_drawn_as_in_a_browser(gif: bytes, frames: list[list[tuple[int, ...]]]) -> None:
    assert rows(gif, len(frames)) == frames


def test_a_colour_that_the_palette_lacks_is_black() -> None:
    gif = bytearray(write_gif(1, 1, [Picture(plain(1, 1, 6))]))
    gif[10] = 0x80 | 1  # a palette of four colours
    short = bytes(gif[: 13 + 12] + gif[13 + 24 :])

    assert rows(short, 1) == [[BLACK]]


def test_interlaced_rows_are_put_in_order() -> None:
    pixels = np.arange(37, dtype=np.uint8).reshape(37, 1) % 8
    gif = write_gif(1, 37, [Picture(pixels, interlaced=True), Picture(pixels)])

    first, second = render_frames(gif, [0, 1])
    assert np.array_equal(first, second)
    assert np.array_equal(first, show(1, 37, [Picture(pixels)])[0])


def test_a_large_frame_is_drawn_completely() -> None:
    rng = np.random.default_rng(3)
    noise = [rng.integers(0, 256, (300, 701), np.uint8) for _ in range(3)]
    images = [Image.fromarray(pixels).convert("P") for pixels in noise]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], optimize=False)

    for canvas, pixels in zip(render_frames(file.getvalue(), range(3)), noise, strict=True):
        assert np.array_equal(canvas, np.dstack([pixels] * 3 + [np.full_like(pixels, 255)]))


@given(animations())
def test_every_frame_equals_that_of_a_browser(animation: Animation) -> None:
    canvases = list(render_frames(animation.gif, range(len(animation.pictures))))

    for found, shown in zip(canvases, animation.shown(), strict=True):
        assert np.array_equal(found, shown)


@given(animations(), st.data())
def test_single_frames_can_be_rendered(animation: Animation, data: st.DataObject) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, len(animation.pictures) - 1))))

    shown = animation.shown()
    for found, index in zip(render_frames(animation.gif, wanted), wanted, strict=True):
        assert np.array_equal(found, shown[index])


def test_each_canvas_is_a_copy() -> None:
    gif = write_gif(1, 1, [Picture(ONE), Picture(plain(1, 1, 2))])

    first, second = list(render_frames(gif, [0, 1]))
    first[...] = 7
    assert tuple(second[0, 0]) == GREEN


def test_a_broken_frame_raises_when_it_is_reached() -> None:
    short = sub_blocks(pack([8, 1, 9], 4))
    gif = write_gif(2, 2, [Picture(plain(2, 2, 1)), Picture(plain(2, 2, 1), data=short), Picture(ONE)])

    canvases = render_frames(gif, range(3))
    next(canvases)
    with pytest.raises(CorruptGif, match="frame 1 is broken"):
        next(canvases)


@pytest.mark.parametrize("indices", [[-1], [2], [0, 5], [1, 0], [1, 1]])
def test_missing_or_unordered_frames_are_refused_at_once(indices: list[int]) -> None:
    gif = write_gif(1, 1, [Picture(ONE), Picture(ONE)])

    with pytest.raises(ValueError, match=r"frame indices must (increase|be in 0\.\.1)"):
        render_frames(gif, indices)


def test_errors_in_the_structure_are_raised_at_once() -> None:
    with pytest.raises(NotAGif):
        render_frames(b"no", [0])
    with pytest.raises(GifTooLarge, match="decoding is limited to 3 pixels, this one has 4"):
        render_frames(write_gif(2, 2, [Picture(plain(2, 2, 1))]), [0], budget=Budget(max_decoded_pixels=3))


def test_no_indices_give_no_frames() -> None:
    assert list(render_frames(write_gif(1, 1, [Picture(ONE, disposal=KEEP)]), [])) == []
