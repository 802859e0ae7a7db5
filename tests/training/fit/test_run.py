"""The whole fit on drawn shows, with a small network of random weights."""

import numpy as np
import pytest

from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.data.splits import folds
from training.data.view import MIRRORED, PLAIN, View
from training.errors import InvalidRun, SplitImpossible
from training.fit.crossvalidate import cross_validate
from training.fit.features import Extractor
from training.fit.operating import find_operating
from training.fit.options import FitOptions, PartOptions
from training.fit.run import fit
from training.fit.trainer import Trainer
from training.network.head import Tap
from training.network.model import FittedModel, tap_model

OPTIONS = FitOptions(
    backbone="MobileNetV3Small",
    parts=(PartOptions(standardise=True), PartOptions("expanded_conv_1/deviation", standardise=True)),
    folds=3,
)


def test_features_are_the_outputs_of_the_network_for_each_view(drawn_clips, small_backbone, tmp_path):
    taps = [Tap("top"), Tap("expanded_conv_3", "deviation"), Tap("expanded_conv_1", "covariance")]
    few = drawn_clips.choose([3, 11])
    extractor = Extractor(small_backbone, taps, tmp_path)
    network = tap_model(small_backbone, taps)
    for view in (PLAIN, MIRRORED, View(draw=2)):
        values = extractor.extract(few, view)
        frames = view.apply(few.frames(1), few.digests[1])
        assert frames.shape == (view.frames, 224, 224, 3)
        for tap, expected in zip(taps, network.predict(frames, verbose=0), strict=True):
            found = values[tap][1]
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    # Other clips later, in another order: what is known is not worked out again.
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    extractor.extract(drawn_clips.choose([11, 3, 5]))
    assert all(path.stat().st_mtime_ns == then for path, then in files.items())


def test_a_fit_names_shows_of_sources_that_it_did_not_learn_from(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    fitted = fit(drawn_clips, OPTIONS, tmp_path, feature_cache, backbone=small_backbone)
    assert fitted.shows == drawn_clips.shows
    assert fitted.training_data_sha256 == drawn_clips.digest
    assert fitted.facts["out_of_fold"]["clips"] == 18
    assert fitted.facts["out_of_fold"]["top1"] > 0.8
    assert fitted.facts["by_show"]["Red Rings"] == {"clips": 6, "sources": 3}
    trainer = Trainer(drawn_clips, OPTIONS, feature_cache, backbone=small_backbone)
    answer = fitted.head.answer(trainer.views[0])
    np.testing.assert_array_equal(answer.probabilities.argmax(axis=1), drawn_clips.labels)
    found = cross_validate(trainer, folds(drawn_clips.rows, 3), tmp_path / "folds")
    operating = find_operating(found.of_clips(), found.labels, drawn_clips.shows)
    assert fitted.unknown_threshold == operating.threshold
    assert fitted.verdict is None  # it learned nothing of other things
    assert FittedModel.load(tmp_path / "model.npz").unknown_threshold == fitted.unknown_threshold


def test_a_fit_with_other_things_learns_none_of_these(drawn_clips, small_backbone, feature_cache, tmp_path):
    others = load_clips(draw_gifs(tmp_path, of_each=4), feature_cache)
    fitted = fit(
        drawn_clips.beside(others), OPTIONS, tmp_path / "run", feature_cache, backbone=small_backbone
    )
    assert fitted.shows == drawn_clips.shows
    assert fitted.head.shows == 3
    assert fitted.verdict is not None
    trainer = Trainer(drawn_clips, OPTIONS, feature_cache, backbone=small_backbone)
    known = fitted.head.answer(trainer.views[0]).familiarity
    strange = trainer.answer(fitted.head, others).familiarity
    assert np.median(known) > np.quantile(strange, 0.9)
    loaded = FittedModel.load(tmp_path / "run" / "model.npz")
    assert (loaded.verdict, loaded.head.others) == (fitted.verdict, True)


def test_a_folder_of_another_run_is_refused(drawn_clips, small_backbone, feature_cache, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InvalidRun, match="other data or settings"):
        fit(drawn_clips, OPTIONS, tmp_path, feature_cache, backbone=small_backbone)


def test_too_few_shows_or_sources_are_refused(drawn_clips, small_backbone, feature_cache, tmp_path):
    one_show = drawn_clips.choose(np.flatnonzero(drawn_clips.labels == 0))
    with pytest.raises(SplitImpossible, match="it takes two"):
        fit(one_show, OPTIONS, tmp_path, feature_cache, backbone=small_backbone)
    few = drawn_clips.choose([0, 6])
    with pytest.raises(SplitImpossible, match="3 folds of 2"):
        fit(few, OPTIONS, tmp_path, feature_cache, backbone=small_backbone)
