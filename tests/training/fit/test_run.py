"""The whole fit on drawn shows and a small network of random weights: colours and shapes survive that."""

import dataclasses

import numpy as np
import pytest

from training.data.clips import load_clips
from training.data.drawn import draw_gifs
from training.data.splits import folds
from training.data.view import MIRRORED, PLAIN, View
from training.errors import InvalidRun, SplitImpossible, UnknownBackbone
from training.fit.crossvalidate import cross_validate
from training.fit.features import Extractor
from training.fit.operating import find_operating
from training.fit.options import FitOptions, PartOptions, TuneOptions
from training.fit.run import fit
from training.fit.trainer import Trained, Trainer
from training.fit.tuner import Tuner, cut_block
from training.network.head import Tap
from training.network.model import FittedModel, tap_model

LINEAR = FitOptions(
    backbone="MobileNetV3Small",
    parts=(PartOptions(standardise=True), PartOptions("expanded_conv_1/deviation", standardise=True)),
    folds=3,
)
TUNED = dataclasses.replace(
    LINEAR, mirror=False, tune=TuneOptions(blocks=2, epochs=3, batch=4, learning_rate=1e-3)
)


def test_features_are_what_the_network_says_of_each_view(drawn_clips, small_backbone, tmp_path):
    taps = [Tap("top"), Tap("expanded_conv_3", "deviation"), Tap("expanded_conv_1", "covariance")]
    few = drawn_clips.choose([3, 11])
    extractor = Extractor(small_backbone, taps, tmp_path, cut="expanded_conv_5")
    network = tap_model(small_backbone, taps)
    for view in (PLAIN, MIRRORED, View(draw=2)):
        features = extractor.extract(few, view)
        frames = view.apply(few.frames(1), few.digests[1])
        assert frames.shape == (view.frames, 224, 224, 3)
        for tap, expected in zip(taps, network.predict(frames, verbose=0), strict=True):
            found = features.taps[tap][1]
            np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
        assert np.load(features.maps[1]).shape[0] == view.frames
    # Other clips later, in another order: what is known is not worked out again.
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    extractor.extract(drawn_clips.choose([11, 3, 5]))
    assert all(path.stat().st_mtime_ns == then for path, then in files.items())


def test_a_linear_fit_names_shows_it_learned_from_other_sources(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    fitted = fit(drawn_clips, LINEAR, tmp_path, feature_cache, backbone=small_backbone)
    assert fitted.shows == drawn_clips.shows
    assert fitted.training_data_sha256 == drawn_clips.digest
    assert fitted.facts["out_of_fold"]["clips"] == 18
    assert fitted.facts["out_of_fold"]["top1"] > 0.8
    assert fitted.facts["by_show"]["Red Rings"] == {"clips": 6, "sources": 3}
    trainer = Trainer(drawn_clips, LINEAR, feature_cache, backbone=small_backbone)
    answer = fitted.head.answer(trainer.views[0].taps)
    np.testing.assert_array_equal(answer.probabilities.argmax(axis=1), drawn_clips.labels)
    found = cross_validate(trainer, folds(drawn_clips.rows, 3), tmp_path / "folds")
    operating = find_operating(found.of_clips(), found.labels, drawn_clips.shows)
    assert fitted.unknown_threshold == operating.threshold
    assert fitted.verdict is None  # it learned nothing of other things
    assert FittedModel.load(tmp_path / "model.npz").unknown_threshold == fitted.unknown_threshold


def test_a_fit_with_other_things_learns_what_is_none_of_the_shows(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    others = load_clips(draw_gifs(tmp_path, of_each=4), feature_cache)
    fitted = fit(drawn_clips.beside(others), LINEAR, tmp_path / "run", feature_cache, backbone=small_backbone)
    assert fitted.shows == drawn_clips.shows
    assert fitted.head.shows == 3
    assert fitted.verdict is not None
    trainer = Trainer(drawn_clips, LINEAR, feature_cache, backbone=small_backbone)
    known = fitted.head.answer(trainer.views[0].taps).familiarity
    strange = trainer.answer(Trained(fitted.head, {}), others).familiarity
    assert np.median(known) > np.quantile(strange, 0.9)
    loaded = FittedModel.load(tmp_path / "run" / "model.npz")
    assert (loaded.verdict, loaded.head.others) == (fitted.verdict, True)


def test_a_folder_of_another_run_is_refused(drawn_clips, small_backbone, feature_cache, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InvalidRun, match="other data or settings"):
        fit(drawn_clips, LINEAR, tmp_path, feature_cache, backbone=small_backbone)


def test_too_few_shows_or_sources_are_refused(drawn_clips, small_backbone, feature_cache, tmp_path):
    one_show = drawn_clips.choose(np.flatnonzero(drawn_clips.labels == 0))
    with pytest.raises(SplitImpossible, match="it takes two"):
        fit(one_show, LINEAR, tmp_path, feature_cache, backbone=small_backbone)
    few = drawn_clips.choose([0, 6])
    with pytest.raises(SplitImpossible, match="3 folds of 2"):
        fit(few, LINEAR, tmp_path, feature_cache, backbone=small_backbone)


def test_fine_tuning_learns_and_goes_on_after_an_interruption_as_if_nothing_had_been(
    drawn_clips, small_backbone, feature_cache, tmp_path, monkeypatch
):
    trainer = Trainer(drawn_clips, TUNED, feature_cache, backbone=small_backbone)
    everything = np.arange(len(drawn_clips))
    first = [np.array(variable.numpy()) for variable in small_backbone.model.variables]
    whole = trainer.train(everything, tmp_path / "whole")
    assert len(whole.history) == 3
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]
    assert set(whole.weights) == {v.path for v in small_backbone.model.trainable_variables}
    # The network is put back, so that the next training starts where this one did.
    for variable, value in zip(small_backbone.model.variables, first, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)

    steps = []
    whole_step = Tuner._step

    def interrupted(*arguments):
        step = whole_step(*arguments)

        def press(*batch):
            steps.append(1)
            if len(steps) == 6:  # the second of the four of the second epoch
                raise KeyboardInterrupt  # as Ctrl-C does
            return step(*batch)

        return press

    monkeypatch.setattr(Tuner, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(everything, tmp_path / "resumed")
    assert len(steps) == 6
    monkeypatch.undo()
    resumed = trainer.train(everything, tmp_path / "resumed")
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.head.linear.matrix, whole.head.linear.matrix)
    for path, value in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[path], value)
    answer = trainer.answer(whole, drawn_clips)
    assert (answer.probabilities.argmax(axis=1) == drawn_clips.labels).mean() > 0.8
    with pytest.raises(InvalidRun, match="other data or settings"):
        trainer.train(everything[:-1], tmp_path / "whole")


def test_fine_tuning_begins_with_the_linear_probe_and_averages_the_last_epochs(
    drawn_clips, small_backbone, feature_cache, tmp_path
):
    everything = np.arange(len(drawn_clips))

    def trained(**changes):
        tune = dataclasses.replace(TUNED.tune, **changes)
        trainer = Trainer(
            drawn_clips, dataclasses.replace(TUNED, tune=tune), feature_cache, backbone=small_backbone
        )
        return trainer.train(everything, tmp_path / repr(sorted(changes.items())))

    from_zero, probed = trained(), trained(probe=True)
    assert probed.history[0]["loss"] < from_zero.history[0]["loss"]
    ends = [trained(probe=True, epochs=3, average=count).head.linear.matrix for count in (1, 2)]
    assert not np.array_equal(*ends)


def test_early_stopping_keeps_the_best_epoch(drawn_clips, small_backbone, feature_cache, tmp_path):
    # Steps far too large: the loss on held-out groups cannot keep falling.
    tune = dataclasses.replace(TUNED.tune, epochs=12, patience=1, holdout=0.3, learning_rate=0.3)
    options = dataclasses.replace(TUNED, tune=tune)
    trainer = Trainer(drawn_clips, options, feature_cache, backbone=small_backbone)
    trained = trainer.train(np.arange(len(drawn_clips)), tmp_path)
    losses = [measured["held_out_loss"] for measured in trained.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 2  # one epoch of patience
    assert len(losses) < 12


def test_more_blocks_than_there_are_cannot_be_trained(small_backbone):
    with pytest.raises(UnknownBackbone, match="blocks to train"):
        cut_block(small_backbone, len(small_backbone.blocks))
    assert cut_block(small_backbone, 1) == small_backbone.blocks[-2]
