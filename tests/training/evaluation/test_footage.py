"""The study of same footage: changed GIFs of drawn shows are found, and finished changes are kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from services.inference import Classifier, default_model_path
from tests.support.drawn import draw_shows
from training.data.manifest import read_manifest
from training.evaluation import footage
from training.evaluation.footage import CHANGES, measure_footage
from training.statistics.estimate import Bootstrap

CHOSEN = ("unchanged", "mirrored", "cropped to a square")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_keeps_one_picture_for_each_frame(change: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 72, 128, 3)).astype(np.uint8)

    changed = CHANGES[change](frames, np.random.default_rng(1))

    assert changed.dtype == np.uint8
    assert changed.shape[0] == 1
    assert changed.ndim == 4
    assert np.array_equal(changed, CHANGES[change](frames, np.random.default_rng(1)))
    assert np.array_equal(changed, frames) == (change == "unchanged")


def test_the_report_counts_what_was_found_and_an_interrupted_study_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_manifest(draw_shows(tmp_path / "shows", sources=2, clips=1))
    words = Classifier(default_model_path()), rows, [], tmp_path / "cache"
    few = Bootstrap(resamples=50)

    found = measure_footage(*words, searched=4, changes=CHOSEN[:2], bootstrap=few)
    with monkeypatch.context() as patch:
        patch.setattr(footage, "perturb", lambda *_, **__: pytest.fail("this change was finished"))
        again = measure_footage(*words, searched=4, changes=CHOSEN[:2], bootstrap=few)
    more = measure_footage(*words, searched=4, changes=CHOSEN, bootstrap=few)
    more.write(tmp_path / "out")

    assert (found.library, found.searched) == (6, 4)
    assert [each.found.value for each in found.changes] == [1.0, 1.0]
    assert again == found
    assert more.changes[:2] == found.changes
    assert json.loads((tmp_path / "out" / "footage.json").read_text())["searched"] == 4
    assert "| cropped to a square |" in (tmp_path / "out" / "footage.md").read_text()
