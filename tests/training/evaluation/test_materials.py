"""Which clips an evaluation judges, and in which forms, on GIFs that the test draws."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.drawn import KINDS
from training.data.manifest import Row
from training.evaluation.materials import CHANGED_EVERY, FOLDS, Materials, by_index
from training.fit.crossvalidate import ALWAYS


def draw(path: Path, seed: int, *, frames: int = 3, size: tuple[int, int] = (64, 36)) -> Path:
    """A GIF of noise, each frame brighter than the last."""
    random = np.random.default_rng(seed)
    pictures = [
        Image.fromarray(random.integers(40 * n, 40 * n + 60, (size[1], size[0], 3), dtype=np.uint8))
        for n in range(frames)
    ]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    return path


@pytest.fixture
def materials(tmp_path: Path) -> Materials:
    def row(number: int, show: str, source: str) -> Row:
        return Row(draw(tmp_path / f"{number}.gif", number), show, f"scene{number}", source)

    known = [row(n, "AB"[n % 2], f"source{n}") for n in range(2 * FOLDS)]
    known += [row(100 + n, "Rare", "one source") for n in range(2)]
    return Materials(known, [row(200, "Other", "elsewhere")], tmp_path / "cache")


def test_shows_of_too_few_sources_are_left_out_and_other_things_are_learned_from(
    materials: Materials,
) -> None:
    assert materials.clips.shows == ("A", "B")
    assert materials.left_out is not None
    assert {row.show for row in materials.left_out.rows} == {"Rare"}
    judged = materials.judged
    assert [row.show for row in judged.rows if row.other] == ["Other"]
    assert sorted(set(materials.fold)) == [ALWAYS, *range(FOLDS)]
    drawn = materials.clips.choose(np.flatnonzero(materials.fold == ALWAYS))
    assert {row.source for row in drawn.rows} == {f"drawn {kind}" for kind in KINDS}


def test_the_clips_of_the_sample_are_changed(materials: Materials) -> None:
    mirrored = materials.changed("mirrored")

    assert mirrored.rows == tuple(materials.clips.rows[: 2 * FOLDS : CHANGED_EVERY])
    plain, changed = materials.clips.frames(0).astype(int), mirrored.frames(0).astype(int)
    # A palette of its own makes the mirrored GIF another by a shade, not more.
    assert np.abs(changed[:, :, ::-1] - plain).mean() < 0.2 * np.abs(changed - plain).mean()


def test_the_plain_recipe_pads_and_takes_frames_by_index(tmp_path: Path) -> None:
    gif = draw(tmp_path / "wide.gif", 1, frames=2, size=(64, 32)).read_bytes()

    frames = by_index(gif)

    assert frames.shape == (10, 224, 224, 3)
    assert not frames[:, :50].any()  # the bar above: 224 x 112 in the middle of 224 x 224
    assert frames[:, 60:160].any()
    np.testing.assert_array_equal(frames[0], frames[4])
    assert (frames[4] != frames[5]).any()
