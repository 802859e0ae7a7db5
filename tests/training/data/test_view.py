"""Views: what of a clip is looked at, and that it is the same each time."""

import numpy as np
import pytest

from training.data.view import MIRRORED, PLAIN, View

DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def frames() -> np.ndarray:
    """Ten frames whose colour says where a pixel is: red from left to right, green from top to bottom."""
    places = np.arange(224, dtype=np.uint8)
    frames = np.zeros((10, 224, 224, 3), np.uint8)
    frames[..., 0] = places[None, None, :]
    frames[..., 1] = places[None, :, None]
    return frames


def test_the_plain_view_changes_nothing(frames):
    np.testing.assert_array_equal(PLAIN.apply(frames, DIGEST), frames)


def test_a_mirrored_view_swaps_left_and_right(frames):
    seen = MIRRORED.apply(frames, DIGEST)
    np.testing.assert_array_equal(seen[..., 0], frames[..., 0][:, :, ::-1])
    np.testing.assert_array_equal(seen[..., 1], frames[..., 1])


def test_an_augmented_view_is_the_same_for_the_same_gif_and_another_for_another(frames):
    view = View(draw=1)
    seen = view.apply(frames, DIGEST)
    assert seen.shape == (view.frames, 224, 224, 3)
    np.testing.assert_array_equal(seen, view.apply(frames, DIGEST))
    assert not np.array_equal(seen, view.apply(frames, "f" * 64))
    assert not np.array_equal(seen, View(draw=2).apply(frames, DIGEST))


def test_every_view_has_its_own_name():
    views = [PLAIN, MIRRORED, View(draw=1)]
    assert len({view.name for view in views}) == len(views)
