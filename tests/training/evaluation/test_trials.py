"""Trials: the baseline, the chosen recipe and int8, on drawn shows and a small network."""

import dataclasses

import numpy as np
import pytest

from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.evaluation import trials
from training.evaluation.perturb import PERTURBATIONS
from training.fit.crossvalidate import ALWAYS
from training.fit.options import FitOptions
from training.fit.recipes import BASELINE, CHOSEN, INT8, RECIPES, TRIALS
from training.fit.trainer import Trainer


class DrawnMaterials:
    """Drawn shows in three folds, other things in all of them."""

    def __init__(self, shows, others):
        self.clips = shows.beside(others)
        self.fold = np.where(self.clips.known, np.arange(len(self.clips)) % 3, ALWAYS)
        self.sample, self.left_out = np.arange(0, len(shows), 3), None
        self.judged, self.decoded_by_index = shows, False

    def by_index(self):
        self.decoded_by_index = True
        return self.clips

    def all_changed(self):
        return {name: (self.sample, self.clips.choose(self.sample)) for name in PERTURBATIONS}


@pytest.fixture
def materials(drawn_clips, feature_cache, tmp_path):
    return DrawnMaterials(drawn_clips, load_clips(draw_gifs(tmp_path, of_each=1), feature_cache))


@pytest.fixture
def quick(monkeypatch):
    """The recipes without augmented views, which take minutes."""
    quick = {name: dataclasses.replace(options, views=0) for name, options in RECIPES.items()}
    monkeypatch.setattr(trials, "RECIPES", quick)


def test_trials_are_the_recipes_and_int8():
    assert set(TRIALS) == {*RECIPES, INT8}
    assert {BASELINE, CHOSEN} <= set(RECIPES)
    assert len(TRIALS) <= 10


@pytest.mark.usefixtures("quick")
def test_only_the_baseline_sees_clips_decoded_by_index(materials, tmp_path):
    held = trials.run_trial(CHOSEN, materials, tmp_path)
    assert not materials.decoded_by_index
    assert set(held.logits) == {"plain", *PERTURBATIONS}
    assert held.logits["plain"].shape == (18, 10, 4)

    trials.run_trial(BASELINE, materials, tmp_path)
    assert materials.decoded_by_index


def test_int8_judges_in_a_folder_of_its_own(materials, tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(
        trials, "cross_validate", lambda learner, fold, folder, **more: folders.append(folder)
    )

    trials.run_trial(CHOSEN, materials, tmp_path)
    trials.run_trial(INT8, materials, tmp_path)

    assert len(set(folders)) == 2


def test_int8_learns_as_the_trainer_does_and_answers_nearly_the_same(
    drawn_clips, small_backbone, feature_cache
):
    options = FitOptions(backbone="MobileNetV3Small", mirror=False)
    trainer = Trainer(drawn_clips, options, feature_cache, backbone=small_backbone)
    quantized = trials.Quantized(trainer)

    head = quantized.train(np.arange(12))
    judged = drawn_clips.choose(np.arange(12, 18))
    answer, exact = quantized.answer(head, judged), trainer.answer(head, judged)

    assert answer.frame_logits.shape == exact.frame_logits.shape == (6, 10, 3)
    np.testing.assert_allclose(np.exp(answer.frame_logits).sum(axis=-1), 1, rtol=1e-4)
    np.testing.assert_allclose(answer.probabilities, exact.probabilities, atol=0.1)
    assert not np.array_equal(answer.probabilities, exact.probabilities)
