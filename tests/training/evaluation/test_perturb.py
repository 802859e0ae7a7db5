import io

import numpy as np
import pytest
from PIL import Image

from services.errors import CorruptGif, NotAGif
from services.preprocess import decode_gif, render_frames
from tests.support.golden import assert_golden_arrays
from training.evaluation.perturb import PERTURB_VERSION, PERTURBATIONS, perturb


@pytest.fixture
def gif(tmp_path, gif_of) -> bytes:
    return gif_of(tmp_path / "a.gif", "Blue Bars", 5, frames=6).read_bytes()


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbed_gif_is_different_but_plays_as_long_and_is_reproducible(gif, name):
    changed = perturb(gif, name)
    assert changed == perturb(gif, name)
    before, after = decode_gif(gif), decode_gif(changed)
    assert after.source.duration_ms == before.source.duration_ms == 600
    assert not np.array_equal(before.frames, after.frames)


def test_mirrored_is_the_clip_mirrored(gif):
    before, after = decode_gif(gif).frames, decode_gif(perturb(gif, "mirrored")).frames
    # The palette is made anew: colours may move a little, places may not.
    assert np.abs(before[:, :, ::-1].astype(int) - after).mean() < 8


def test_half_size_is_half_the_size(gif):
    image = Image.open(io.BytesIO(perturb(gif, "re-encoded at half size")))
    assert image.size == (32, 24)


def test_a_one_frame_gif_stays_one(tmp_path, gif_of):
    still = gif_of(tmp_path / "still.gif", "Red Rings", 1, frames=1).read_bytes()
    assert decode_gif(perturb(still, "letterboxed")).source.frame_count == 1


def test_a_truncated_gif_keeps_its_whole_frames(gif):
    short = gif[: int(len(gif) * 0.6)]
    assert 0 < decode_gif(perturb(short, "cropped")).source.frame_count < 6


def test_broken_gifs_and_unknown_names_are_refused(gif):
    with pytest.raises(NotAGif):
        perturb(b"%PDF-1.7\n", "mirrored")
    with pytest.raises(CorruptGif):
        perturb(gif[:60], "mirrored")
    with pytest.raises(KeyError):
        perturb(gif, "upside down")


def test_the_changed_gifs_are_those_of_this_version(gif):
    found = {name: np.stack(list(render_frames(perturb(gif, name), [0, 3]))) for name in PERTURBATIONS}

    assert_golden_arrays("perturb", PERTURB_VERSION, found, tolerance=0.02)
