"""gif-train beside a real MLflow server that asks for name and password: the whole life of a champion."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from PIL import Image

from tests.conftest import mean_colour_model
from tests.training.mlflow_server import PASSWORD, MlflowServer, mlflow_server

GIF_TRAIN = Path(sys.executable).with_name("gif-train")
RED, GREEN, BLUE = "Red Show", "Green Show", "Blue Show"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """A manifest of 36 GIFs of plain colours, twelve for each of the three shows that the models know."""
    lines = ["path,show,group"]
    for place, show in enumerate((RED, GREEN, BLUE)):
        for number in range(12):
            colour = [2 * number, number, 3 * number]
            colour[place] = 255 - number
            name = f"{place}-{number}.gif"
            Image.new("RGB", (64, 48), tuple(colour)).save(tmp_path / name)
            lines.append(f"{name},{show},{name}")
    path = tmp_path / "evaluation.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def save(path: Path, *, version: str, shows: tuple[str, ...] = (RED, GREEN, BLUE)) -> Path:
    onnx.save(mean_colour_model(metadata={"version": version, "shows": json.dumps(shows)}), path)
    return path


def test_register_compare_promote_refuse_and_roll_back(server, evaluation, tmp_path):
    def gif_train(*words: object, code: int = 0) -> str:
        done = run(*words, cwd=tmp_path, environment=server.environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout if code == 0 or done.stdout else done.stderr

    good = save(tmp_path / "good.onnx", version="good")
    better = save(tmp_path / "better.onnx", version="better")
    worse = save(tmp_path / "worse.onnx", version="worse", shows=(GREEN, RED, BLUE))

    assert "nothing is registered" in gif_train("status")
    assert "version 1, the challenger" in gif_train("register", good)
    assert "it was not compared yet" in gif_train("promote", code=1)
    assert "without a champion: passes" in gif_train("compare", evaluation)
    assert gif_train("promote") == "version 1 is champion, the first\n"

    gif_train("register", better)
    verdict = json.loads(gif_train("compare", evaluation, "--json"))
    assert (verdict["passed"], verdict["champion"], verdict["clips"]) == (True, "1", 36)
    assert gif_train("promote") == "version 2 is champion, after version 1\n"

    gif_train("register", worse)
    refused = gif_train("compare", evaluation, code=1)
    assert "Challenger version 3 beside champion version 2: does not pass" in refused
    assert "| Red Show | 12 | 1.000 | 0.000 | -1.000" in refused
    assert "version 3 is not promoted: it did not pass: accuracy, every show" in gif_train("promote", code=1)

    rolled = gif_train("rollback", "--reason", "a rehearsal")
    assert rolled == "version 1 is champion again, version 2 is rolled back\n"
    gif_train("pull", "--out", "pulled.onnx")
    assert (tmp_path / "pulled.onnx").read_bytes() == good.read_bytes()

    status = json.loads(gif_train("status", "--json"))
    assert status["aliases"] == {"champion": "1", "challenger": "3", "rolled_back": "2"}
    [third, second, first] = status["versions"]
    assert (third["verdict"]["passed"], third["verdict"]["champion"]) == (False, "2")
    assert second["tags"]["rolled_back_because"] == "a rehearsal"
    assert first["verdict"]["evaluation_sha256"] == third["verdict"]["evaluation_sha256"]


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("register", "good.onnx"),
        ("compare", "evaluation.csv"),
        ("promote",),
        ("rollback",),
        ("pull", "--out", "pulled.onnx"),
    ],
    ids=lambda words: words[0],
)
def test_a_wrong_password_is_one_clear_error(server, evaluation, tmp_path, words):
    save(tmp_path / "good.onnx", version="good")

    done = run(*words, cwd=tmp_path, environment=server.environment_with(password="wr0ng-passw0rd"))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        f"error: the registry at {server.address} does not know this name and password: "
        "see MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    )
    assert "Traceback" not in done.stderr
    assert "wr0ng" not in done.stderr
    assert not (tmp_path / "pulled.onnx").exists()


def run(*words: object, cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [GIF_TRAIN, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
