"""Trials: every name leads to a learner that does what the name says."""

import numpy as np
import pytest

from training.evaluation.distill import Distilled
from training.evaluation.looks import SeveralLooks
from training.evaluation.quantized import Quantized
from training.evaluation.trials import build_learner
from training.fit.recipes import BASELINE, CHOSEN, INT8, RECIPES, TRIALS
from training.fit.trainer import Trainer


class DrawnMaterials:
    """Drawn clips in three folds."""

    def __init__(self, clips):
        self.clips, self.fold = clips, np.arange(len(clips)) % 3
        self.decoded_by_index = False

    def by_index(self):
        self.decoded_by_index = True
        return self.clips


@pytest.fixture(scope="module")
def learners(drawn_clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")

    def of(name):
        materials = DrawnMaterials(drawn_clips)
        return build_learner(TRIALS[name], materials, folder / "cache", folder / "home"), materials

    return of


def test_a_trial_fits_a_recipe_that_exists():
    assert set(RECIPES) <= set(TRIALS)
    for trial in TRIALS.values():
        assert {trial.recipe, *trial.teachers} <= set(RECIPES)


def test_only_the_baseline_sees_clips_decoded_by_index(learners):
    for name in (BASELINE, "balanced"):
        learner, materials = learners(name)
        assert isinstance(learner, Trainer)
        assert materials.decoded_by_index == (name == BASELINE)


def test_looks_and_teachers_lead_to_their_learners(learners):
    assert isinstance(learners("all depths, mirrored look too")[0], SeveralLooks)
    assert isinstance(learners(f"{CHOSEN}, taught by Lite0 and Lite2")[0], Distilled)
    assert isinstance(learners(INT8)[0], Quantized)


def test_teachers_learn_without_fine_tuning_and_students_with_it():
    for trial in TRIALS.values():
        if trial.teachers:  # a teacher is fitted once for every pair of folds
            assert RECIPES[trial.recipe].tune.blocks
            assert not any(RECIPES[teacher].tune.blocks for teacher in trial.teachers)
