"""PNG, APNG, WebP and JPEG: their clips, and the errors for broken files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clip import check_clip
from services.errors import CorruptGif, GifTooLarge
from services.preprocess import Budget, decode_gif, render_frames
from services.preprocess.formats import png
from tests.support.paths import corpus_files
from tests.support.picture_writer import (
    Part,
    chunk,
    riff,
    webp_file,
    with_checksums,
    write_apng,
    write_png,
    write_webp,
)
from tests.support.pictures import assert_clip_or_error, colours, exif, noise, saved, smooth, solid

RED, GREEN, HALF_BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 128)
PICTURES = [path for path in corpus_files() if path.parent.name == "pictures"]
BUDGET = Budget(max_canvas_pixels=250_000, max_frames=50, max_decoded_pixels=1_000_000)

Writer = Callable[[int, int, list[Part]], bytes]
ANIMATED = pytest.mark.parametrize(("write", "name"), [(write_apng, "apng"), (write_webp, "webp")])


@ANIMATED
def test_an_animation_is_sampled_by_its_time(write: Writer, name: str) -> None:
    file = write(8, 6, [Part(solid(RED, 6, 8), delay_ms=800), Part(solid(GREEN, 6, 8), delay_ms=200)])

    clip = decode_gif(file)

    check_clip(clip)
    assert clip.source is not None
    assert (clip.source.format, clip.source.frame_count, clip.source.duration_ms) == (name, 2, 1000)
    assert (clip.source.width, clip.source.height, clip.source.size_bytes) == (8, 6, len(file))
    assert colours(file) == [RED[:3]] * 8 + [GREEN[:3]] * 2


@ANIMATED
def test_delays_that_browsers_ignore_are_a_tenth_of_a_second(write: Writer, name: str) -> None:
    file = write(8, 6, [Part(solid(RED, 6, 8), delay_ms=10), Part(solid(GREEN, 6, 8), delay_ms=11)])

    clip = decode_gif(file)

    assert clip.source is not None and clip.source.duration_ms == 111


@ANIMATED
def test_translucent_pixels_are_shown_on_black(write: Writer, name: str) -> None:
    assert colours(write(8, 6, [Part(solid(HALF_BLUE, 6, 8))])) == [(0, 0, 128)] * 10


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (write_png(solid(GREEN)), "png"),
        (saved(solid(GREEN), "WEBP", lossless=True), "webp"),
        (saved(solid((40, 40, 40)), "JPEG"), "jpeg"),
    ],
)
def test_a_still_picture_is_ten_equal_frames(file: bytes, name: str) -> None:
    clip = decode_gif(file)

    assert clip.source is not None
    assert (clip.source.format, clip.source.frame_count, clip.source.duration_ms) == (name, 1, 100)
    assert len(set(colours(file))) == 1


def test_a_turned_picture_is_shown_upright() -> None:
    pixels = solid(RED, 6, 8)
    pixels[:, :4] = GREEN  # turned by a quarter to the right, so that green is at the top

    file = write_png(pixels, before=chunk(b"eXIf", exif(6)))

    (shown,) = render_frames(file, [0])
    clip = decode_gif(file)
    assert shown.shape == (8, 6, 4)
    assert (shown[:4] == GREEN).all() and (shown[4:] == RED).all()
    assert clip.source is not None and (clip.source.width, clip.source.height) == (6, 8)


def test_a_default_image_outside_the_animation_is_not_shown() -> None:
    file = write_apng(8, 6, [Part(solid(RED, 6, 8))] * 2, default=solid(GREEN, 6, 8))

    assert colours(file) == [RED[:3]] * 10


@ANIMATED
@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(max_bytes=100), "length is limited to 100 bytes"),
        (Budget(max_canvas_pixels=47), "canvas is limited to 47 pixels, this one has 48"),
        (Budget(max_frames=2), "animation is limited to 2 frames, this one has"),
        (Budget(max_decoded_pixels=575), "decoding is limited to 575 pixels, this one has 576"),
    ],
)
def test_a_file_over_a_limit_is_refused(write: Writer, name: str, budget: Budget, message: str) -> None:
    file = write(8, 6, [Part(noise(seed, 6, 8), over=True) for seed in range(3)])

    with pytest.raises(GifTooLarge, match=message):
        decode_gif(file, budget=budget)


@ANIMATED
def test_an_animation_ends_before_a_broken_frame(write: Writer, name: str) -> None:
    broken = b"nothing" if name == "apng" else riff(b"VP8L", b"\x2f\x07\x40\x01\x00" + bytes(40))
    parts = [Part(solid(RED, 6, 8)), Part(solid(GREEN, 6, 8)), Part(noise(1, 6, 8), data=broken)]

    assert colours(write(8, 6, [*parts, *parts])) == [RED[:3]] * 5 + [GREEN[:3]] * 5


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "corrupt PNG: it has no header"),
        (write_png(noise(1))[:-12], "corrupt PNG: not one frame is whole"),
        (b"RIFF\x04\0\0\0WEBP", "corrupt WebP: not one frame is whole"),
        (saved(noise(1), "WEBP")[:-9], "corrupt WebP: it is cut short"),
        (b"\xff\xd8\xff\xe0\x00", "corrupt JPEG: it ends inside its header"),
        (saved(smooth(), "JPEG")[:-400], "corrupt JPEG: not one frame is whole"),
    ],
)
def test_a_corrupt_file_is_refused_with_the_reason(file: bytes, message: str) -> None:
    with pytest.raises(CorruptGif) as refused:
        decode_gif(file)

    assert refused.value.message == message


def test_pixels_must_have_the_size_in_the_header() -> None:
    """Otherwise a file with a small canvas could allocate a large picture."""
    large = saved(solid(RED, 2000, 2000), "WEBP", lossless=True)[12:]
    canvas = riff(b"VP8X", bytes((0, 0, 0, 0)) + bytes((7, 0, 0, 5, 0, 0)))

    with pytest.raises(CorruptGif):
        decode_gif(webp_file(canvas + large))
    with pytest.raises(GifTooLarge, match="canvas"):
        decode_gif(webp_file(large), budget=BUDGET)


# Mutated files


@given(
    st.sampled_from(PICTURES),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_changed_bytes_give_a_clip_or_an_error(path: Path, changes: list[tuple[float, int]]) -> None:
    data = bytearray(path.read_bytes())
    for place, value in changes:
        # More often near the beginning, where headers are.
        data[int(place**3 * len(data))] = value

    assert_clip_or_error(bytes(data), BUDGET)
    assert_clip_or_error(with_checksums(bytes(data)), BUDGET)


@given(st.sampled_from(PICTURES), st.floats(0, 1), st.floats(0, 1), st.binary(max_size=40))
def test_cut_and_patched_files_give_a_clip_or_an_error(
    path: Path, start: float, stop: float, patch: bytes
) -> None:
    data = path.read_bytes()
    start, stop = sorted((start, stop))

    patched = data[: int(start * len(data))] + patch + data[int(stop * len(data)) :]

    for changed in (data[: int(stop * len(data))], patched, with_checksums(patched)):
        assert_clip_or_error(changed, BUDGET)


def test_a_million_chunks_are_refused() -> None:
    file = write_png(noise(1), before=chunk(b"tEXt") * png.MAX_CHUNKS)

    with pytest.raises(GifTooLarge, match="structure is limited to 200,000 chunks"):
        decode_gif(file)
