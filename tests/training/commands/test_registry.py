"""gif-train beside a real MLflow server that asks for name and password: the whole life of a champion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mlflow_server import PASSWORD, MlflowServer, mlflow_server
from tests.support.models import BLUE, GREEN, RED, draw_evaluation, save_candidate
from tests.support.paths import ROOT
from tests.support.programs import call


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as running:
        yield running


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    return draw_evaluation(tmp_path / "evaluation.csv")


def test_register_compare_promote_refuse_and_roll_back(server, evaluation, tmp_path):
    def gif_train(*words: object, code: int = 0) -> str:
        done = run(*words, cwd=tmp_path, environment=server.environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout if code == 0 or done.stdout else done.stderr

    good = save_candidate(tmp_path / "good.onnx", version="good")
    better = save_candidate(tmp_path / "better.onnx", version="better")
    worse = save_candidate(tmp_path / "worse.onnx", version="worse", shows=(GREEN, RED, BLUE))

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
        ("pull", "--out", "pulled.onnx"),
    ],
    ids=lambda words: words[0],
)
def test_a_wrong_password_is_one_clear_error(server, tmp_path, words):
    save_candidate(tmp_path / "good.onnx", version="good")

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


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment that has `.[registry]` and no more."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("This test needs uv, which makes environments and is not installed.")
    folder = tmp_path_factory.mktemp("light") / "venv"
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True, timeout=120)
    command = [uv, "pip", "install", "-q", "-p", folder / "bin" / "python"]
    command += ["-c", ROOT / "constraints.txt", f"{ROOT}[registry]"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"The packages of [registry] cannot be installed: {' '.join(done.stderr.split())}")
    return folder / "bin"


def test_pull_promote_and_status_take_the_registry_extra_alone(light, server, tmp_path):
    good = save_candidate(tmp_path / "good.onnx", version="good")
    registered = run("register", good, "--json", cwd=tmp_path, environment=server.environment)
    number = json.loads(registered.stdout)["version"]

    def program(*words: object) -> subprocess.CompletedProcess[str]:
        return run(*words, cwd=tmp_path, environment=server.environment, program=light / "gif-train")

    absent = "import importlib.util as i, sys; sys.exit(any(map(i.find_spec, ('scipy', 'pandas', 'keras'))))"
    subprocess.run([light / "python", "-c", absent], cwd=tmp_path, check=True, timeout=60)
    pulled = program("pull", number, "--out", "pulled.onnx")
    promoted = program("promote", "--force", "a rehearsal")
    status = json.loads(program("status", "--json").stdout)

    assert pulled.returncode == 0, pulled.stderr
    assert (tmp_path / "pulled.onnx").read_bytes() == good.read_bytes()
    assert promoted.stdout.startswith(f"version {number} is champion")
    assert status["aliases"]["champion"] == number
    (tmp_path / "evaluation.csv").write_text("path,show,group\na.gif,Red Show,1\n")
    assert "packages are missing (scipy)" in program("compare", "evaluation.csv").stderr


def test_a_registry_in_a_file_says_what_to_install(light, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}

    done = run("status", cwd=tmp_path, environment=environment, program=light / "gif-train")

    assert done.returncode == 1
    assert "pip install 'gif-analyzer[train]'" in done.stderr
    assert not (tmp_path / "runs").exists()


def run(
    *words: object, cwd: Path, environment: dict[str, str], program: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run gif-train: in this process, or the program of another environment."""
    asked = [str(word) for word in words]
    if program is None:
        return call("gif-train", *asked, cwd=cwd, **environment)
    return subprocess.run(
        [program, *asked], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
