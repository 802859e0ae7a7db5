"""A fitted model judged: the same figures for the same seed, every file, and errors."""

import dataclasses
import json

import keras
import pytest
from PIL import Image

from tests.support.programs import call
from training.data.prepare import PrepareOptions, prepare
from training.errors import InvalidManifest
from training.evaluation.measure import measure
from training.fit.options import FitOptions, PartOptions, TuneOptions
from training.fit.run import fit
from training.network.backbone import load_backbone
from training.statistics.estimate import Bootstrap

TUNED = FitOptions(
    backbone="MobileNetV3Small",
    parts=(PartOptions(standardise=True),),
    mirror=False,
    folds=2,
    tune=TuneOptions(blocks=1, epochs=2, batch=4, learning_rate=1e-3),
)
FROZEN = dataclasses.replace(TUNED, tune=TuneOptions())
FEW = Bootstrap(resamples=200)
FILES = {
    "evaluation.json", "metrics.json", "confusions.csv", "predictions.json", "confusion.png", "shows.png",
    "reliability.png", "unknown.png", "training.png", "mistakes.png",
}  # fmt: skip


def small():
    keras.utils.set_random_seed(0)
    return load_backbone("MobileNetV3Small", weights=None)


@pytest.fixture(scope="module")
def parts(drawn_clips):
    return prepare(drawn_clips, PrepareOptions(holdout=0.3, unknown=("Red Rings",)))


def judged(parts, options, folder):
    """Fit and measure with nothing kept from before."""
    fitted = fit(parts.train, options, folder / "run", folder / "cache", backbone=small())
    return measure(
        fitted, parts.evaluation, folder / "cache", unknown=parts.unknown, backbone=small(), bootstrap=FEW
    )


@pytest.fixture(scope="module")
def tuned(parts, tmp_path_factory):
    return judged(parts, TUNED, tmp_path_factory.mktemp("tuned"))


def test_the_same_seed_and_data_give_the_same_figures_end_to_end(parts, tuned, tmp_path):
    again = judged(parts, TUNED, tmp_path)

    assert again.metrics() == tuned.metrics()
    for one, other in zip(again.predictions, tuned.predictions, strict=True):
        assert one.named == other.named
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)


def test_every_file_is_written_and_says_the_same(tuned, parts, tmp_path):
    tuned.write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == FILES
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert metrics["clips"] == len(parts.evaluation)
    known = [each for each in tuned.predictions if each.show != "Red Rings"]
    assert metrics["top_1"] == pytest.approx(sum(each.right for each in known) / len(known), abs=1e-6)
    assert len(predictions) == len(parts.evaluation) + len(parts.unknown)
    assert (tmp_path / "confusions.csv").read_text().count("\n") == len(parts.evaluation) + 1


def test_plots_of_what_there_was_not_say_so_instead_of_keeping_old_ones(parts, tmp_path):
    fitted = fit(parts.train, FROZEN, tmp_path / "run", tmp_path / "cache", backbone=small())
    found = measure(fitted, parts.evaluation, tmp_path / "cache", backbone=small(), bootstrap=FEW)

    found.write(tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert "unknown_auroc" not in found.metrics()
    for name in ("unknown", "training"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.height < 400


def test_clips_of_the_wrong_shows_are_refused(parts, tmp_path):
    fitted = fit(parts.train, FROZEN, tmp_path / "run", tmp_path / "cache", backbone=small())

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
