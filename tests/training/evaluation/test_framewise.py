"""Answers by frame: their mean is the clip's, and clips of unknown shows stand beside those of known ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.errors import InvalidOptions
from training.evaluation.crossvalidate import cross_validate
from training.evaluation.framewise import NO_SHOW, Framewise, Judged
from training.fit.options import FitOptions
from training.fit.trainer import Trainer


class DrawnMaterials:
    """Drawn clips in three folds, some of them as if their shows were not known."""

    def __init__(self, clips):
        self.clips, self.fold = clips.choose(np.arange(15)), np.arange(15) % 3
        self.group = np.arange(15)
        self.unknown = {"other shows": clips.choose(np.arange(15, 18)), "one": clips.choose(np.arange(1))}


@pytest.fixture
def materials(drawn_clips):
    return DrawnMaterials(drawn_clips)


def trainer(materials, backbone, cache, **options):
    return Trainer(
        materials.clips,
        FitOptions(backbone="MobileNetV3Small", mirror=False, **options),
        cache,
        backbone=backbone,
    )


def test_the_mean_of_the_frames_is_the_clip(materials, small_backbone, feature_cache, tmp_path):
    learner = trainer(materials, small_backbone, feature_cache)
    framewise = Framewise(learner, tmp_path)
    trained = framewise.train(np.arange(0, 15, 2), tmp_path / "anywhere" / "fold00")
    judged = materials.clips.choose(np.arange(5, 15, 2))

    frames, whole = framewise.answer(trained, judged), learner.answer(trained, judged)

    assert frames.logits.shape == (5, 10, 3)
    apart = frames.logits.mean(axis=1) - whole.logits  # the same but for a number of each clip
    np.testing.assert_allclose(apart, np.tile(apart[:, :1], 3), atol=1e-4)


def test_known_and_unknown_clips_are_judged_by_models_that_had_not_seen_them(
    materials, small_backbone, feature_cache, tmp_path
):
    learner = Framewise(trainer(materials, small_backbone, feature_cache), tmp_path / "home")

    held = cross_validate(learner, materials.fold, tmp_path / "folds", unknown=materials.unknown)
    judged = Judged.of(held, materials)

    assert judged.logits.shape == (19, 10, 3)
    assert judged.labels.tolist() == [*materials.clips.labels, *[NO_SHOW] * 4]
    assert judged.fold.tolist() == [*materials.fold, 0, 1, 2, 0]
    assert judged.known.sum() == 15
    assert len(np.unique(judged.group)) == 19
    right = judged.logits[:15].mean(axis=1).argmax(axis=1) == materials.clips.labels
    assert right.mean() > 0.8


def test_what_is_no_mean_of_frames_is_refused(materials, small_backbone, feature_cache, tmp_path):
    learner = Framewise(trainer(materials, small_backbone, feature_cache, pooling="clip"), tmp_path)

    with pytest.raises(InvalidOptions, match="the mean of its frames"):
        learner.train(np.arange(10), tmp_path / "fold00")


def test_some_clips_are_chosen_with_all_that_belongs_to_them():
    judged = Judged(
        np.zeros((4, 10, 2), np.float32), np.array([0, 1, NO_SHOW, 0]), np.arange(4), np.arange(4)
    )

    chosen = judged.choose(judged.known)

    assert [len(getattr(chosen, field.name)) for field in dataclasses.fields(chosen)] == [3] * 4
    assert chosen.fold.tolist() == [0, 1, 3]
