from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from services.preprocess.backend import portable
from services.preprocess.container import Rect
from services.preprocess.crop import cut

HEIGHT, WIDTH = 200, 300
Scene = NDArray[np.uint8]


def scenes(count: int = 10, *, dark: int = 0, bright: int = 256) -> list[Scene]:
    """Pictures with blocks of random colours, different in each picture."""
    rng = np.random.default_rng(5)
    blocks = rng.integers(dark, bright, (count, HEIGHT // 10, WIDTH // 10, 4), np.uint8)
    return list(blocks.repeat(10, axis=1).repeat(10, axis=2))


def framed(
    pictures: list[Scene],
    *,
    top: int = 0,
    bottom: int = 0,
    left: int = 0,
    right: int = 0,
    colour: tuple[int, int, int] = (0, 0, 0),
    noise: int = 0,
) -> list[Scene]:
    """Paint bars of these widths over the pictures, in pixels."""
    rng = np.random.default_rng(6)
    painted = []
    for picture in pictures:
        bar = np.zeros((HEIGHT, WIDTH, 4), np.int16)
        bar[..., :3] = colour
        bar += rng.integers(-noise, noise + 1, bar.shape, np.int16)
        bar = bar.clip(0, 255).astype(np.uint8)
        bar[top : HEIGHT - bottom, left : WIDTH - right] = picture[
            top : HEIGHT - bottom, left : WIDTH - right
        ]
        painted.append(bar)
    return painted


def find_content(pictures: Sequence[Scene]) -> Rect:
    """The rectangle inside the borders."""
    [content] = {content for _, content in cut(pictures, len(pictures), portable())}
    return content


WHOLE = Rect(0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (16, 16, 16), (180, 20, 90)])
@pytest.mark.parametrize(
    "bars",
    [
        {"top": 26, "bottom": 26},
        {"top": 30},
        {"bottom": 55},
        {"left": 40, "right": 40},
        {"left": 3, "right": 2, "top": 1, "bottom": 4},
        {"top": 30, "bottom": 30, "left": 50, "right": 50},
    ],
)
@pytest.mark.parametrize("noise", [0, 7])
def test_bars_of_one_colour_are_cropped(
    colour: tuple[int, int, int], bars: dict[str, int], noise: int
) -> None:
    pictures = framed(scenes(), **bars, colour=colour, noise=noise)

    assert find_content(pictures) == Rect(
        bars.get("left", 0),
        bars.get("top", 0),
        WIDTH - bars.get("right", 0),
        HEIGHT - bars.get("bottom", 0),
    )


def test_two_bars_may_differ_in_colour() -> None:
    pictures = framed(framed(scenes(), top=30, colour=(255, 255, 255)), bottom=20)
    for picture in pictures:
        picture[:30, :, :3] = 255

    assert find_content(pictures) == Rect(0, 30, WIDTH, 180)


def test_bars_of_one_picture_are_cropped() -> None:
    assert find_content(framed(scenes(1), top=30, bottom=30)) == Rect(0, 30, WIDTH, 170)


def test_a_few_specks_in_a_bar_are_noise() -> None:
    pictures = framed(scenes(), top=30)
    rng = np.random.default_rng(9)
    for row in range(30):
        pictures[0][row, rng.integers(0, WIDTH, 3), :3] = 90

    assert find_content(pictures).top == 30


def test_a_caption_in_a_bar_is_cropped_with_it() -> None:
    pictures = framed(scenes(), bottom=60)
    for picture in pictures:  # two lines of strokes, 12 pixels high, over a third of the width
        for line in (150, 170):
            picture[line : line + 12, 60:240:5] = 255
            picture[line : line + 12, 61:240:5] = 255

    assert find_content(pictures) == Rect(0, 0, WIDTH, 140)


def lamp_at_night() -> list[Scene]:
    """Black all around, but without an edge along the picture."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    glows = [np.exp(-((x - 120 - 4 * step) ** 2 + (y - 100) ** 2) / 900) for step in range(10)]
    return [(glow[..., None] * (255, 200, 90, 0)).astype(np.uint8) for glow in glows]


def drawing_on_white() -> Scene:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    picture[(x - 150) ** 2 + (y - 100) ** 2 < 60**2] = (200, 30, 30, 255)
    return picture


@pytest.mark.parametrize(
    "pictures",
    [
        scenes(),
        [*framed(scenes()[:9], top=30), scenes()[9]],
        [np.full((HEIGHT, WIDTH, 4), 0, np.uint8)] * 3,
        [np.full((HEIGHT, WIDTH, 4), 255, np.uint8)] * 3,
        lamp_at_night(),
        [drawing_on_white()],
        # A third of the picture is plain and ends in an edge, but the edge has too little contrast.
        framed(scenes(dark=30, bright=60), right=100, colour=(28, 26, 24), noise=6),
        framed(scenes(), top=90, bottom=90),
        framed(scenes(), top=85),
        framed(scenes(), left=130, right=130),
    ],
    ids=[
        *("no bars", "a bar in some pictures only", "black", "white", "a dark scene", "a drawing on white"),
        *("a dim wall", "a sliver between bars", "a bar of nearly half", "a sliver between pillars"),
    ],
)
def test_without_certain_bars_nothing_is_cropped(pictures: list[Scene]) -> None:
    assert find_content(pictures) == WHOLE


def test_dim_content_between_bars_is_never_cropped_away() -> None:
    """The scene is hardly brighter than the bars: the bars may stay, but the scene must."""
    content = find_content(framed(scenes(dark=0, bright=40), top=26, bottom=26))

    assert content.top <= 26
    assert content.bottom >= 174


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 500)])
def test_tiny_pictures_can_be_processed(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for pixels in (np.zeros((*shape, 4), np.uint8), rng.integers(0, 256, (*shape, 4), np.uint8)):
        content = find_content([pixels])
        assert 0 <= content.left < content.right <= shape[1]
        assert 0 <= content.top < content.bottom <= shape[0]


def drawn_one_over_another(pictures: list[Scene]) -> Iterator[Scene]:
    """Yield the pictures on one canvas: each is valid until the next one is requested."""
    canvas = np.empty_like(pictures[0])
    for picture in pictures:
        canvas[...] = picture
        yield canvas


@pytest.mark.parametrize("bars", [{}, {"top": 26}, {"left": 40, "right": 40}, {"top": 190}])
def test_each_picture_is_yielded_with_the_common_rectangle(bars: dict[str, int]) -> None:
    pictures = framed(scenes(), **bars)

    parts = [
        (picture.copy(), content)
        for picture, content in cut(drawn_one_over_another(pictures), len(pictures), portable())
    ]

    assert [content for _, content in parts] == [find_content(pictures)] * len(pictures)
    for (picture, _), expected in zip(parts, pictures, strict=True):
        assert np.array_equal(picture, expected)


def test_without_a_border_in_the_first_picture_no_others_are_read() -> None:
    pictures = iter(scenes())

    _, content = next(cut(pictures, 10, portable()))

    assert content == WHOLE
    assert len(list(pictures)) == 9  # not requested yet
