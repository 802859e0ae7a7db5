"""Fingerprints of frames: scaled, mirrored and cropped pictures agree with the original, others do not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from services.inference.library.fingerprint import (
    BITS,
    FINGERPRINT_BYTES,
    agreement,
    brightness,
    distinct_frames,
    fingerprint,
    known_signs,
    mirrored,
    part_signs,
    placed_signs,
    whole_signs,
)
from services.inference.library.search import SAME_PART, SAME_WHOLE

seeds = st.integers(0, 2**32 - 1)


def picture(seed: int, *, height: int = 360, width: int = 640) -> NDArray[np.uint8]:
    """Soft blots of light, as different as two scenes: uint8 [1, height, width, 3]."""
    noise = np.random.default_rng(seed).integers(0, 256, (7, 12, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))[np.newaxis]


def part(
    frames: NDArray[np.uint8], top: float, left: float, height: float, width: float
) -> NDArray[np.uint8]:
    """Cut a part out, in shares of the sides, and enlarge it as a clip does."""
    [frame] = frames
    rows, columns = frame.shape[:2]
    box = (left * columns, top * rows, (left + width) * columns, (top + height) * rows)
    return np.asarray(Image.fromarray(frame).resize((224, 224), box=box))[np.newaxis]


def test_a_fingerprint_has_one_row_of_bytes_for_each_frame() -> None:
    prints = fingerprint(np.concatenate([picture(seed) for seed in range(10)]))

    assert prints.bits.shape == (10, FINGERPRINT_BYTES)
    assert prints.bits.dtype == np.uint8
    assert known_signs(prints.bits).shape == (10, BITS)
    assert prints.distinct.all()


def test_flat_and_repeated_frames_are_not_compared() -> None:
    flat = np.full((1, 360, 640, 3), 7, np.uint8)

    assert distinct_frames(
        brightness(np.concatenate([flat, picture(1), picture(1), picture(2)]))
    ).tolist() == [*(False, True, False, True)]
    assert distinct_frames(brightness(np.concatenate([flat, flat]))).tolist() == [True, False]


@given(seeds)
def test_a_mirrored_fingerprint_is_that_of_the_mirrored_frame(seed: int) -> None:
    frames = picture(seed)

    by_signs = mirrored(known_signs(fingerprint(frames).bits))
    by_picture = known_signs(fingerprint(frames[:, :, ::-1]).bits)

    assert (by_signs == by_picture).mean() > 0.98  # neighbours that are equal have no sign to turn round


@given(seeds)
def test_the_first_part_is_the_whole_frame(seed: int) -> None:
    grey = brightness(picture(seed))

    assert np.array_equal(part_signs(grey[0])[0], whole_signs(grey)[0])


@given(seeds, st.integers(0, 3000))
def test_one_part_is_computed_as_all_parts_are(seed: int, placement: int) -> None:
    grey = brightness(picture(seed))

    alone, among_all = placed_signs(grey, placement)[0], part_signs(grey[0])[placement]

    assert (alone == among_all).mean() > 0.99  # a matrix product may round differently


@given(seeds, st.integers(60, 400))
def test_a_smaller_picture_agrees(seed: int, height: int) -> None:
    known = known_signs(fingerprint(picture(seed)).bits)
    [small] = picture(seed)
    query = np.asarray(Image.fromarray(small).resize((height, height)))[np.newaxis]

    assert agreement(whole_signs(brightness(query)), known)[0, 0] > SAME_WHOLE


def test_other_pictures_do_not_agree() -> None:
    """With fixed pictures: of 6,000 random pairs four had a part that agrees by chance."""
    for seed in range(30):
        known = known_signs(fingerprint(picture(seed)).bits)
        grey = brightness(picture(seed + 1000))

        assert agreement(whole_signs(grey), known)[0, 0] < SAME_WHOLE
        assert agreement(part_signs(grey[0]), known).max() < SAME_PART


@given(seeds, st.floats(0.6, 1), st.floats(0.6, 1), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_a_part_of_a_picture_agrees_there(
    seed: int, height: float, width: float, down: float, right: float
) -> None:
    frames = picture(seed)
    known = known_signs(fingerprint(frames).bits)
    query = brightness(part(frames, down * (1 - height), right * (1 - width), height, width))

    assert agreement(part_signs(query[0]), known).max() >= SAME_PART


def test_too_few_signs_agree_with_nothing() -> None:
    flat = brightness(np.full((1, 224, 224, 3), 90, np.uint8))
    known = known_signs(fingerprint(picture(1)).bits)

    assert agreement(whole_signs(flat), known).tolist() == [[0.0]]
