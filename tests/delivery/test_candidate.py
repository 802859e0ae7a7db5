"""The model to deliver: the challenger, or without one the champion, from a registry in a file."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.models import draw_evaluation, save_candidate
from tests.support.programs import Done, call
from tests.support.traffic import Traffic, as_line

Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a program of this project with an empty registry."""
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    return functools.partial(call, cwd=tmp_path)


def register(run: Run, folder: Path, version: str) -> None:
    path = save_candidate(folder / f"{version}.onnx", version=version)
    assert run("gif-train", "register", str(path)).returncode == 0


def test_the_challenger_is_delivered_or_else_the_champion(run: Run, tmp_path: Path) -> None:
    out, outputs = tmp_path / "build/candidate.onnx", tmp_path / "outputs"
    words = ("candidate", "--out", str(out), "--outputs", str(outputs))

    nothing = run("gif-deliver", *words)
    register(run, tmp_path, "1.0")
    challenger = run("gif-deliver", *words, "--json")
    assert run("gif-train", "promote", "--force", "a test").returncode == 0
    champion = run("gif-deliver", *words, "--json")
    register(run, tmp_path, "2.0")
    next_one = run("gif-deliver", *words, "--json")

    assert nothing.returncode == 2
    assert nothing.stderr.startswith("error: the registry has neither a challenger nor a champion")
    found = [json.loads(done.stdout) for done in (challenger, champion, next_one)]
    assert [(each["alias"], each["version"], each["model_version"]) for each in found] == [
        ("challenger", "1", "1.0"),
        ("champion", "1", "1.0"),
        ("challenger", "2", "2.0"),
    ]
    assert out.read_bytes() == (tmp_path / "2.0.onnx").read_bytes()
    assert outputs.read_text().splitlines()[:3] == ["alias=challenger", "version=1", "model_version=1.0"]


def test_answers_are_compared_with_the_reference_of_the_champion(run: Run, tmp_path: Path) -> None:
    log, same, first = (tmp_path / f"{name}.log" for name in ("now", "same", "first"))
    other = replace(Traffic(), levels=(0.1, 0.1, 0.1, 0.7))
    for path, traffic, seed in ((log, other, 1), (same, Traffic(), 2), (first, Traffic(), 3)):
        path.write_text("\n".join(map(as_line, traffic.answers(300, seed, model="1.0"))), "utf-8")
    register(run, tmp_path, "1.0")
    assert run("gif-train", "promote", "--force", "a test").returncode == 0

    missing = run("gif-deliver", "drift", str(log))
    made = run("gif-train", "reference", "champion", "--answers", str(first))
    drifted, quiet = (run("gif-deliver", "drift", str(path)) for path in (log, same))

    assert missing.returncode == 2
    assert "has no reference of version 1 in the registry" in missing.stderr
    assert made.returncode == 0, made.stderr
    assert (drifted.returncode, quiet.returncode) == (1, 0), drifted.stderr + quiet.stderr
    assert "drift in verdicts" in drifted.stdout


def test_held_out_answers_become_the_reference_at_registration(run: Run, tmp_path: Path) -> None:
    path = save_candidate(tmp_path / "1.0.onnx", version="1.0")
    manifest = draw_evaluation(tmp_path / "evaluation.csv")

    done = run("gif-train", "register", str(path), "--held-out", str(manifest), "--json")
    read = run("gif-train", "reference", "challenger", "--json")

    assert json.loads(done.stdout)["reference_answers"] == 36, done.stderr
    found = json.loads(read.stdout)
    assert (found["model_version"], found["answers"], found["source"]) == ("1.0", 36, "held-out GIFs")


def test_an_unreachable_registry_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    done = run("gif-deliver", "candidate", "--out", str(tmp_path / "candidate.onnx"))

    assert done.returncode == 2
    assert done.stderr.startswith("error: gif-train status failed: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "candidate.onnx").exists()
