from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.statistics import plots
from training.statistics.calibration import measure_calibration, softmax
from training.statistics.comparison import measure_robustness
from training.statistics.estimate import Bootstrap
from training.statistics.metrics import measure_accuracy
from training.statistics.openset import energy, largest_probability, measure_unknown
from training.statistics.plots import (
    drawing,
    plot_confusion,
    plot_reliability,
    plot_robustness,
    plot_shows,
    plot_unknown,
)

QUICK = Bootstrap(resamples=100)
SHOWS = ["Pokémon", "Ca$h & $ons", "The <Office>, as told in Scranton", "Never seen"]
GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 3, 80)  # the fourth show has no clips
LOGITS = 3 * np.eye(4)[LABELS] + GENERATOR.normal(0, 1.5, (80, 4)) - [0, 0, 0, 50]
OTHERS = GENERATOR.normal(0, 1.5, (30, 4))
PROBABILITIES = softmax(LOGITS)
ACCURACY = measure_accuracy(PROBABILITIES, LABELS, SHOWS, bootstrap=QUICK)


def draw_all(folder: Path, suffix: str) -> None:
    calibration = measure_calibration(PROBABILITIES, LABELS)
    unknown = [
        measure_unknown(score(LOGITS), score(OTHERS), score=score.__name__, bootstrap=QUICK)
        for score in (energy, largest_probability)
    ]
    tinted = measure_robustness(PROBABILITIES, {"tinted": softmax(LOGITS / 9)}, LABELS, bootstrap=QUICK)
    plot_confusion(ACCURACY, folder / f"confusion{suffix}")
    plot_shows(ACCURACY, folder / f"shows{suffix}")
    plot_reliability({"before": calibration, "after": calibration}, folder / f"reliability{suffix}")
    plot_unknown(unknown, folder / f"unknown{suffix}")
    plot_robustness(tinted, folder / f"robustness{suffix}")


def test_every_plot_is_a_picture_on_white(tmp_path: Path) -> None:
    draw_all(tmp_path / "new" / "folder", ".png")

    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.stem for file in files] == ["confusion", "reliability", "robustness", "shows", "unknown"]
    for file in files:
        with Image.open(file) as picture:
            colours = picture.convert("RGB").getcolors(1 << 24)
            pixels = np.asarray(picture.convert("RGB"))
        assert picture.format == "PNG"
        assert min(pixels.shape[:2]) > 300
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert (border == 255).all()  # nothing runs over the edge
        assert colours is not None and len(colours) > 20


def test_the_same_figures_give_the_same_svg(tmp_path: Path) -> None:
    draw_all(tmp_path / "one", ".svg")
    draw_all(tmp_path / "two", ".svg")

    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
        assert file.read_bytes().startswith(b"<?xml")


def test_names_and_counts_are_written_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plots.STYLE, "svg.fonttype", "none")  # text instead of outlines

    plot_confusion(ACCURACY, tmp_path / "confusion.svg")

    drawn = (tmp_path / "confusion.svg").read_text()
    assert "Ca$h &amp; $ons" in drawn and "The &lt;Office&gt;, as told in Scranton" in drawn
    assert "Never seen" not in drawn
    for count in np.unique(np.array(ACCURACY.confusion)):
        assert count == 0 or f">{count}<" in drawn


def test_nothing_is_left_behind_when_drawing_fails(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(b"the last good one")

    with pytest.raises(ZeroDivisionError), drawing(tmp_path / "plot.png", 1, 1):
        1 / 0  # noqa: B018 - fails while it is drawn

    assert (tmp_path / "plot.png").read_bytes() == b"the last good one"
    assert [file.name for file in tmp_path.iterdir()] == ["plot.png"]


def test_other_endings_and_empty_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"written as \.png or \.svg, not as 'plot\.jpg'"):
        plot_shows(ACCURACY, tmp_path / "plot.jpg")
    with pytest.raises(ValueError, match="no reports"):
        plot_unknown([], tmp_path / "plot.png")
    with pytest.raises(ValueError, match="no reports"):
        plot_reliability({}, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())
