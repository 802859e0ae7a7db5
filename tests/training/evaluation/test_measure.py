"""Measuring a fitted model: reproducible figures, every file, errors, and the picture of mistakes."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from services.errors import GifError
from tests.support.programs import call
from training.data.manifest import read_manifest
from training.data.prepare import PrepareOptions, prepare
from training.errors import InvalidManifest
from training.evaluation.measure import MISTAKES_SHOWN, measure, plot_mistakes
from training.evaluation.predictions import Prediction
from training.fit.options import FitOptions, PartOptions
from training.fit.run import fit
from training.network.backbone import load_backbone
from training.statistics.estimate import Bootstrap

OPTIONS = FitOptions(
    backbone="MobileNetV3Small",
    parts=(PartOptions(standardise=True),),
    mirror=False,
    folds=2,
)
FEW = Bootstrap(resamples=200)
FILES = {
    "evaluation.json", "metrics.json", "confusions.csv", "predictions.json", "confusion.png", "shows.png",
    "reliability.png", "unknown.png", "mistakes.png",
}  # fmt: skip


def small():
    keras.utils.set_random_seed(0)
    return load_backbone("MobileNetV3Small", weights=None)


@pytest.fixture(scope="module")
def parts(drawn_clips):
    return prepare(drawn_clips, PrepareOptions(holdout=0.3, unknown=("Red Rings",)))


def fit_and_measure(parts, folder):
    """Fit and measure with an empty cache."""
    fitted = fit(parts.train, OPTIONS, folder / "run", folder / "cache", backbone=small())
    return measure(
        fitted, parts.evaluation, folder / "cache", unknown=parts.unknown, backbone=small(), bootstrap=FEW
    )


@pytest.fixture(scope="module")
def measured(parts, tmp_path_factory):
    return fit_and_measure(parts, tmp_path_factory.mktemp("measured"))


def test_the_same_seed_and_data_give_the_same_figures_end_to_end(parts, measured, tmp_path):
    again = fit_and_measure(parts, tmp_path)

    assert again.metrics() == measured.metrics()
    for one, other in zip(again.predictions, measured.predictions, strict=True):
        assert one.named == other.named
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_every_file_is_written_with_the_same_figures(measured, parts, tmp_path):
    measured.write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == FILES
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert metrics["clips"] == len(parts.evaluation)
    known = [each for each in measured.predictions if each.show != "Red Rings"]
    assert metrics["top_1"] == pytest.approx(sum(each.right for each in known) / len(known), abs=1e-6)
    assert len(predictions) == len(parts.evaluation) + len(parts.unknown)
    assert (tmp_path / "confusions.csv").read_text().count("\n") == len(parts.evaluation) + 1


def test_a_plot_without_data_says_so_instead_of_keeping_an_old_one(parts, tmp_path):
    fitted = fit(parts.train, OPTIONS, tmp_path / "run", tmp_path / "cache", backbone=small())
    found = measure(fitted, parts.evaluation, tmp_path / "cache", backbone=small(), bootstrap=FEW)

    found.write(tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert "unknown_auroc" not in found.metrics()
    with Image.open(tmp_path / "out/unknown.png") as picture:
        assert picture.height < 400


def test_clips_of_the_wrong_shows_are_refused(parts, tmp_path):
    fitted = fit(parts.train, OPTIONS, tmp_path / "run", tmp_path / "cache", backbone=small())

    with pytest.raises(InvalidManifest, match="does not know Red Rings"):
        measure(fitted, parts.unknown, tmp_path, backbone=small())
    with pytest.raises(InvalidManifest, match="the model knows Blue Bars"):
        measure(fitted, parts.evaluation, tmp_path, unknown=parts.evaluation, backbone=small())


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"colour\nred\n"])
def test_an_unknown_manifest_that_cannot_be_read_is_one_clear_error(drawn_manifest, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/model.npz").write_bytes(b"")
    unknown = tmp_path / "unknown.csv"
    if content is not None:
        unknown.write_bytes(content)

    words = ("measure", "run", drawn_manifest, "--unknown", unknown, "--out", "out")
    done = call("gif-train", *words, cwd=tmp_path)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "unknown.csv" in done.stderr
    assert not (tmp_path / "out").exists()


def answers(manifest, named):
    """One prediction for each GIF, all of them naming one show."""
    shows = ("Blue Bars", "Green Grid", "Red Rings")
    return [
        Prediction(
            row.path, "", row.show, row.group, {show: 0.8 if show == named else 0.1 for show in shows}, True
        )
        for row in read_manifest(manifest)
    ]


def test_frames_of_mistakes_are_drawn(drawn_manifest, tmp_path):
    everything = answers(drawn_manifest, "Red Rings")
    blue = [each for each in everything if each.show == "Blue Bars"]

    plot_mistakes(blue, tmp_path / "mistakes.png")

    with Image.open(tmp_path / "mistakes.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), int)
    bluish = (pixels[..., 2] > 150) & (pixels[..., 0] < 90) & (pixels[..., 1] < 110)
    assert bluish.mean() > 0.1


def test_the_picture_of_mistakes_has_a_largest_size(drawn_manifest, tmp_path):
    many = [each for each in answers(drawn_manifest, "Red Rings") if not each.right] * 3
    assert len(many) > MISTAKES_SHOWN

    plot_mistakes(many[:MISTAKES_SHOWN], tmp_path / "some.png")
    plot_mistakes(many, tmp_path / "many.png")

    with Image.open(tmp_path / "some.png") as some, Image.open(tmp_path / "many.png") as all_of_them:
        assert some.size == all_of_them.size


def test_a_picture_without_mistakes_is_written(drawn_manifest, tmp_path):
    right = [each for each in answers(drawn_manifest, "Red Rings") if each.right]

    plot_mistakes(right, tmp_path / "mistakes.png")

    assert (tmp_path / "mistakes.png").stat().st_size > 0


def test_a_gif_that_was_damaged_is_an_error_and_leaves_no_picture(drawn_manifest, tmp_path):
    (tmp_path / "broken.gif").write_bytes(b"<html></html>")
    broken = Prediction(
        tmp_path / "broken.gif", "", "Red Rings", "", {"Red Rings": 0.1, "Blue Bars": 0.9}, True
    )

    with pytest.raises(GifError):
        plot_mistakes([broken], tmp_path / "mistakes.png")

    assert not (tmp_path / "mistakes.png").exists()
