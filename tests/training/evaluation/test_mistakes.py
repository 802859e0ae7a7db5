"""The picture of mistakes: the surest ones, and a word where there are none."""

import numpy as np
import pytest
from PIL import Image

from services.errors import GifError
from training.data.manifest import read_manifest
from training.evaluation.mistakes import SHOWN, plot_mistakes
from training.evaluation.predictions import Prediction


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


def test_there_are_never_more_than_fit_a_page(drawn_manifest, tmp_path):
    many = [each for each in answers(drawn_manifest, "Red Rings") if not each.right] * 3
    assert len(many) > SHOWN

    plot_mistakes(many[:SHOWN], tmp_path / "some.png")
    plot_mistakes(many, tmp_path / "many.png")

    with Image.open(tmp_path / "some.png") as some, Image.open(tmp_path / "many.png") as all_of_them:
        assert some.size == all_of_them.size


def test_without_mistakes_it_says_so(drawn_manifest, tmp_path):
    right = [each for each in answers(drawn_manifest, "Red Rings") if each.right]

    plot_mistakes(right, tmp_path / "mistakes.png")

    assert (tmp_path / "mistakes.png").stat().st_size > 0


def test_a_gif_that_is_damaged_since_is_an_error_and_leaves_no_picture(drawn_manifest, tmp_path):
    (tmp_path / "broken.gif").write_bytes(b"<html></html>")
    broken = Prediction(
        tmp_path / "broken.gif", "", "Red Rings", "", {"Red Rings": 0.1, "Blue Bars": 0.9}, True
    )

    with pytest.raises(GifError):
        plot_mistakes([broken], tmp_path / "mistakes.png")

    assert not (tmp_path / "mistakes.png").exists()
