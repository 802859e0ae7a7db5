from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.clip import CLIP_SHAPE, Clip, check_clip
from services.errors import CorruptGif, GifError, GifTooLarge
from services.preprocess import Budget, decode_gif
from services.preprocess.backend import portable
from services.preprocess.crop import cut
from services.preprocess.plan import sample
from tests.support.animations import Animation, animations
from tests.support.gif_writer import (
    CLEAR,
    RESTORE,
    Picture,
    compress,
    pack,
    plain,
    sub_blocks,
    write_gif,
    write_picture,
)
from tests.support.pictures import assert_clip_or_error, colours

BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)
SHORT = sub_blocks(pack([8, 1, 9], 4))  # one pixel, then the end code
INVALID = sub_blocks(pack([8, 1, 15, 15, 15], 4))  # codes that are not defined
CUT = sub_blocks(pack([8, 1], 4))  # the data ends without an end code


def clip_of(animation: Animation) -> Clip:
    """Compute the clip from every frame as a browser shows it, then crop and resize."""
    timeline = sample([10 * picture.delay_cs for picture in animation.pictures])
    shown = animation.shown()
    wanted = [shown[frame] for frame in timeline.frames]
    frames = np.empty(CLIP_SHAPE, np.uint8)
    for (canvas, content), frame in zip(cut(wanted, len(wanted), portable()), frames, strict=True):
        portable().resize(canvas, content, frame)
    return Clip(frames, timeline.instants_ms)


def test_a_clip_fits_the_contract_and_knows_its_source() -> None:
    gif = write_gif(9, 7, [Picture(plain(9, 7, index), delay_cs=10) for index in (1, 2, 3, 4)])

    clip = decode_gif(gif)

    check_clip(clip)
    assert clip.frames.shape == CLIP_SHAPE
    assert clip.timestamps_ms == (20, 60, 100, 140, 180, 220, 260, 300, 340, 380)
    assert clip.source is not None
    assert dataclasses.asdict(clip.source) == {
        "format": "gif",
        "width": 9,
        "height": 7,
        "frame_count": 4,
        "duration_ms": 400,
        "size_bytes": len(gif),
        "sha256": hashlib.sha256(gif).hexdigest(),
        "content_width": 9,
        "content_height": 7,
    }


BARS = np.zeros((20, 20), np.uint8)
BARS[4:16] = 2


@pytest.mark.parametrize(
    ("gif", "expected"),
    [
        (write_gif(5, 5, [Picture(plain(5, 5, 1), delay_cs=0)]), [RED] * 10),
        (
            write_gif(5, 5, [Picture(plain(5, 5, index), delay_cs=10) for index in (1, 2, 3)]),
            [RED] * 3 + [GREEN] * 4 + [BLUE] * 3,
        ),
        (
            write_gif(5, 5, [Picture(plain(5, 5, 1), delay_cs=80), Picture(plain(5, 5, 2), delay_cs=20)]),
            [RED] * 8 + [GREEN] * 2,
        ),
        (write_gif(4, 4, [Picture(plain(4, 4, 1), transparent=1)]), [BLACK] * 10),
        (write_gif(20, 20, [Picture(BARS)]), [GREEN] * 10),
    ],
    ids=[
        "one frame",
        "three frames repeat",
        "frames count by time",
        "transparent is black",
        "bars are cropped",
    ],
)
def test_the_colours_of_a_clip(gif: bytes, expected: list[tuple[int, int, int]]) -> None:
    assert colours(gif) == expected


@given(animations(max_frames=24))
def test_a_clip_equals_one_made_of_all_frames(animation: Animation) -> None:
    clip, expected = decode_gif(animation.gif), clip_of(animation)

    assert clip.timestamps_ms == expected.timestamps_ms
    assert np.array_equal(clip.frames, expected.frames)


# A broken frame


@pytest.mark.parametrize("data", [SHORT, INVALID, CUT, b"\0"])
def test_the_animation_ends_before_a_broken_frame(data: bytes) -> None:
    pictures = [Picture(plain(4, 4, index), delay_cs=10) for index in (1, 2, 3, 4)]
    pictures[2] = dataclasses.replace(pictures[2], data=data)
    gif = write_gif(4, 4, pictures)

    source = decode_gif(gif).source

    assert colours(gif) == [RED] * 5 + [GREEN] * 5
    assert source is not None and source.frame_count == 2 and source.duration_ms == 200


def test_it_ends_before_the_first_broken_frame_even_if_a_later_one_was_decoded_first() -> None:
    pictures = [Picture(plain(4, 4, index % 4), delay_cs=10) for index in range(40)]
    skipped = dataclasses.replace(pictures[3], data=SHORT, disposal=RESTORE)  # instants are at 2, 6, 10, ...
    needed = dataclasses.replace(pictures[10], data=SHORT)

    unnoticed = decode_gif(write_gif(4, 4, [*pictures[:3], skipped, *pictures[4:]]))
    noticed = decode_gif(write_gif(4, 4, [*pictures[:3], skipped, *pictures[4:10], needed, *pictures[11:]]))

    assert unnoticed.source is not None and unnoticed.source.frame_count == 40
    assert noticed.source is not None and noticed.source.frame_count == 3


def test_a_gif_with_a_broken_first_frame_is_corrupt() -> None:
    with pytest.raises(CorruptGif, match="not one frame is whole"):
        decode_gif(write_gif(4, 4, [Picture(plain(4, 4, 1), data=SHORT), Picture(plain(4, 4, 1))]))


def broken_at(animation: Animation, places: set[int]) -> Animation:
    """The same animation with the data of these frames cut to a clear code."""
    broken = [
        dataclasses.replace(picture, data=sub_blocks(b"\x08")) if index in places else picture
        for index, picture in enumerate(animation.pictures)
    ]
    return dataclasses.replace(animation, pictures=tuple(broken))


@given(animations(max_frames=24), st.data())
def test_a_broken_frame_ends_the_clip_or_changes_nothing(animation: Animation, data: st.DataObject) -> None:
    large = [index for index, picture in enumerate(animation.pictures) if picture.pixels.size > 2]
    places = data.draw(st.sets(st.sampled_from(large), min_size=1)) if large else set()
    whole = min(places, default=len(animation.pictures))

    try:
        clip = decode_gif(broken_at(animation, places).gif)
    except CorruptGif:
        assert whole == 0
        return

    assert clip.source is not None
    assert clip.source.frame_count in (whole, len(animation.pictures))
    frames = animation.pictures[: clip.source.frame_count]
    expected = clip_of(dataclasses.replace(animation, pictures=frames))
    assert clip.timestamps_ms == expected.timestamps_ms
    assert np.array_equal(clip.frames, expected.frames)


# Cut and mutated bytes

PICTURES = (
    Picture(plain(6, 5, 1), delay_cs=10),
    Picture(plain(3, 2, 2), left=1, top=1, delay_cs=20, disposal=CLEAR, transparent=0),
    Picture(plain(6, 5, 3), delay_cs=30, disposal=RESTORE, palette=bytes(range(24)), interlaced=True),
    Picture(plain(2, 2, 4), left=4, top=3, delay_cs=40),
)
GIF = write_gif(6, 5, PICTURES)


def test_a_gif_cut_anywhere_gives_its_complete_frames() -> None:
    ends = [len(write_gif(6, 5, PICTURES[:count])) - 1 for count in range(1, 5)]

    for length in range(len(GIF)):
        whole = sum(length >= end for end in ends)
        if whole:
            clip = decode_gif(GIF[:length])
            assert clip.source is not None and clip.source.frame_count == whole
            assert np.array_equal(clip.frames, decode_gif(write_gif(6, 5, PICTURES[:whole])).frames)
        else:
            with pytest.raises(GifError):
                decode_gif(GIF[:length])


FUZZ_BUDGET = Budget(max_canvas_pixels=250_000, max_frames=50, max_decoded_pixels=1_000_000)


@given(st.lists(st.tuples(st.integers(0, len(GIF) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_give_a_clip_or_an_error(changes: list[tuple[int, int]]) -> None:
    gif = bytearray(GIF)
    for position, value in changes:
        gif[position] = value

    assert_clip_or_error(bytes(gif), FUZZ_BUDGET)


@given(st.binary(max_size=300))
@example(b"")
def test_any_bytes_give_a_clip_or_an_error(tail: bytes) -> None:
    frame = write_gif(6, 5, PICTURES[:1])[:-1] + b","
    for head in (b"", b"GIF89a", write_gif(6, 5, [])[:-1], frame):
        assert_clip_or_error(head + tail, FUZZ_BUDGET)


# Budgets


def test_decoded_pixels_are_limited_at_their_boundary() -> None:
    pictures = [Picture(plain(4, 4, 1), transparent=0)] * 3  # 48 pixels

    assert decode_gif(write_gif(4, 4, pictures), budget=Budget(max_decoded_pixels=48))
    with pytest.raises(GifTooLarge) as refused:
        decode_gif(write_gif(4, 4, pictures), budget=Budget(max_decoded_pixels=47))
    assert refused.value.details == {
        "limit": "decoding",
        "allowed": "47",
        "found": "48",
        "unit": "pixels",
    }


def test_only_needed_frames_count_as_decoded() -> None:
    ten_of_forty = [Picture(plain(4, 4, 1), delay_cs=10)] * 40

    assert decode_gif(write_gif(4, 4, ten_of_forty), budget=Budget(max_decoded_pixels=10 * 16))


def test_finding_the_first_broken_frame_counts_as_decoding() -> None:
    pictures = [Picture(plain(4, 4, 1), delay_cs=10)] * 4
    pictures[3] = dataclasses.replace(pictures[3], data=SHORT)
    gif = write_gif(4, 4, pictures)

    assert decode_gif(gif, budget=Budget(max_decoded_pixels=4 * 16 + 3 * 16))
    with pytest.raises(GifTooLarge, match="decoding is limited to 111 pixels, this one has 112"):
        decode_gif(gif, budget=Budget(max_decoded_pixels=111))


def test_the_size_of_sub_blocks_does_not_matter() -> None:
    pixels = np.random.default_rng(4).integers(0, 8, (40, 50), np.uint8)
    chain, joined = compress(Picture(pixels)), b""
    while length := chain[0]:
        joined, chain = joined + chain[1 : 1 + length], chain[1 + length :]
    tiny = Picture(pixels, data=sub_blocks(joined, 1))

    assert np.array_equal(
        decode_gif(write_gif(50, 40, [tiny])).frames, decode_gif(write_gif(50, 40, [Picture(pixels)])).frames
    )


def test_bytes_behind_the_trailer_are_ignored() -> None:
    more = write_picture(Picture(plain(6, 5, 7)))

    clip = decode_gif(GIF + more)
    assert clip.source is not None and clip.source.frame_count == 4
