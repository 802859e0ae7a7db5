"""Shows left out of training and taught by GIFs: who learns from what, what is kept, and what is counted."""

import json

import numpy as np
import pytest

from services.inference.library import TeachingBase
from services.inference.library.embedding import EMBEDDING_SIZE
from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.errors import InvalidOptions
from training.evaluation import teaching
from training.evaluation.teaching import LeftOut, leave_shows_out, measure_teaching
from training.fit.crossvalidate import ALWAYS
from training.fit.options import FitOptions
from training.fit.trainer import Trainer
from training.statistics.estimate import Bootstrap

OPTIONS = FitOptions(backbone="MobileNetV3Small", mirror=False, linear="ridge", regularisation=1.0)
FEW = Bootstrap(resamples=50)


@pytest.fixture
def clips(drawn_clips, tmp_path):
    """Three drawn shows, and other things of which six are judged."""
    return drawn_clips.beside(load_clips(draw_gifs(tmp_path, of_each=1), tmp_path))


@pytest.fixture
def folds(clips):
    """Three folds: the sources of each show, and six other things."""
    sources = [int(row.source[-1]) if not row.other else ALWAYS for row in clips.rows]
    others = np.flatnonzero(~clips.known)[:6]
    found = np.array(sources)
    found[others] = np.arange(6) % 3
    return found


@pytest.fixture
def trainer(clips, small_backbone, feature_cache):
    return Trainer(clips, OPTIONS, feature_cache, backbone=small_backbone)


def test_drawn_shows_are_left_out_and_learned_from_two_gifs(trainer, folds, tmp_path, monkeypatch):
    judged = folds != ALWAYS

    models = leave_shows_out(trainer, folds, tmp_path)
    found = measure_teaching(
        models,
        trainer.clips.choose(np.flatnonzero(judged)),
        folds[judged],
        recipe="drawn",
        gifs=(1, 2),
        bootstrap=FEW,
    )

    assert [model.show for model in models] == [None, 0, 1, 2]
    assert (models[0].logits.shape, models[1].logits.shape) == ((24, 4), (24, 3))
    assert (found.clips, found.others) == (18, 6)
    assert found.trained.value > 0.8
    one, two = found.taught
    assert (one.gifs, two.gifs) == (1, 2)
    assert two.recall.value > 0.6
    assert two.share.value == pytest.approx(two.recall.value / found.trained.value)
    assert abs(two.lost.value) < 0.2
    assert np.mean([show.taught[1] for show in found.shows]) == pytest.approx(two.recall.value)

    found.write(tmp_path)
    assert json.loads((tmp_path / "teaching.json").read_text())["trained"]["value"] == found.trained.value
    assert "| 2 GIFs |" in (tmp_path / "teaching.md").read_text()
    assert (tmp_path / "teaching.png").stat().st_size > 1000

    # Finished folds are read back.
    monkeypatch.setattr(teaching, "_train_fold", lambda *_: pytest.fail("it was trained before"))
    again = leave_shows_out(trainer, folds, tmp_path)
    assert np.array_equal(again[2].logits, models[2].logits)
    assert again[2].bases[1].weight == models[2].bases[1].weight


def test_models_are_those_that_the_trainer_fits_to_the_other_folds_without_the_show(
    trainer, clips, folds, tmp_path
):
    models = leave_shows_out(trainer, folds, tmp_path)

    for number, fold in ((None, 0), (1, 0), (2, 1)):
        [model] = [each for each in models if each.show == number]
        learned = np.flatnonzero((folds != fold) & (clips.labels != (-1 if number is None else number)))
        inside = np.flatnonzero(folds == fold)
        head = trainer.train(learned)
        logits = trainer.answer(head, clips.choose(inside)).frame_logits.mean(axis=1)
        expected = logits if number is None else np.delete(logits, number, axis=1)
        assert model.logits[folds[folds != ALWAYS] == fold] == pytest.approx(expected, abs=1e-4)
        alone = Trainer(clips.choose(learned), OPTIONS, tmp_path, backbone=trainer.backbone)
        base = alone.teaching_base(alone.train(np.arange(len(learned))), 1.0)
        assert model.bases[fold].weight == pytest.approx(base.weight)
        assert model.bases[fold].mean == pytest.approx(base.mean, abs=1e-3)


def test_a_show_that_takes_the_clips_of_all_others_is_found_and_loses_them(clips, folds):
    """All embeddings are the same, and the model, which is right, hardly prefers a show to the others."""
    judged = folds != ALWAYS
    of_judged = clips.choose(np.flatnonzero(judged))
    right = np.eye(4)[of_judged.labels] * 1e-3
    base = TeachingBase.of(np.zeros((1, EMBEDDING_SIZE), np.int8), np.ones(1), temperature=1.0, others=0.5)
    same = np.full((3, 24, EMBEDDING_SIZE), 30, np.int8)
    models = [
        LeftOut(show, right if show is None else np.delete(right, show, axis=1), same, (base,) * 3)
        for show in (None, 0, 1, 2)
    ]

    found = measure_teaching(models, of_judged, folds[judged], recipe="", gifs=(4,), bootstrap=FEW)

    assert found.trained.value == 1
    assert (found.taught[0].recall.value, found.taught[0].lost.value) == (1, pytest.approx(1))


def test_a_recipe_that_cannot_be_taught_is_refused(clips, folds, small_backbone, feature_cache, tmp_path):
    options = FitOptions(backbone="MobileNetV3Small", mirror=False, linear="logistic")
    trainer = Trainer(clips, options, feature_cache, backbone=small_backbone)

    with pytest.raises(InvalidOptions, match="ridge regression"):
        leave_shows_out(trainer, folds, tmp_path)
