from __future__ import annotations

import io
import itertools
import json
import tomllib
from pathlib import Path

import pytest

from benchmarks.bench.contenders import CannotMeasure, Contender, WorkerProcess
from benchmarks.bench.environments import Absent, install, interpreter, read_list
from benchmarks.bench.worker import Worker, converse
from tests.support.paths import ROOT

TRIVIAL = "tests.support.trivial"


def send(worker: Worker, **message: object) -> dict[str, object]:
    return worker.answer(json.dumps(message))


def ready(name: str, **options: object) -> Worker:
    ticks = itertools.count(step=6.0)
    worker = Worker(clock=lambda: next(ticks))
    assert "version" in send(worker, do="prepare", subject=f"{TRIVIAL}:{name}", options=options)
    return worker


@pytest.mark.parametrize(("name", "seconds"), [("echo", 2.0), ("four_at_once", 0.5)])
def test_seconds_are_divided_by_the_times_and_the_units(name: str, seconds: float) -> None:
    assert send(ready(name), do="run", item="7", times=3) == {"seconds": seconds}


def test_an_item_is_loaded_run_and_checked() -> None:
    worker = ready("loading")

    assert send(worker, do="check", item="20") == {"answer": 41}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"do": "run", "item": "seven", "times": 1}, "ValueError: invalid literal"),
        ({"do": "dance", "item": "7"}, "ValueError: unknown command dance"),
        ({"do": "prepare", "subject": f"{TRIVIAL}:nobody", "options": {}}, "AttributeError"),
        (
            {"do": "prepare", "subject": f"{TRIVIAL}:needs_a_missing_library", "options": {}},
            "ModuleNotFoundError: No module named 'no_such_library'",
        ),
    ],
)
def test_a_failure_is_answered_with_its_reason(message: dict[str, object], reason: str) -> None:
    worker = ready("echo")

    assert str(send(worker, **message)["error"]).startswith(reason)
    assert send(Worker(), do="run", item="7", times=1) == {"error": "RuntimeError: not prepared"}


def test_the_end_of_the_input_closes_the_subject(tmp_path: Path) -> None:
    trace, replies = tmp_path / "trace", io.StringIO()
    prepare = {"do": "prepare", "subject": f"{TRIVIAL}:leaving_a_trace", "options": {"path": str(trace)}}

    converse(Worker(), io.StringIO(json.dumps(prepare) + "\n"), replies)

    assert json.loads(replies.getvalue()) == {"version": "trace 1"}
    assert trace.read_text("utf-8") == "ended"


def start(name: str, log: Path, **options: object) -> WorkerProcess:
    return WorkerProcess(Contender(name, f"{TRIVIAL}:{name}", options), log)


def test_a_worker_process_answers(tmp_path: Path) -> None:
    worker = start("echo", tmp_path / "log", version="echo 2")

    assert worker.version == "echo 2"
    assert worker.check("7") == 7
    assert worker.run("7", 2) >= 0
    with pytest.raises(CannotMeasure, match="invalid literal"):
        worker.run("seven", 1)
    worker.close()


def test_output_of_a_library_is_not_taken_for_a_reply(tmp_path: Path) -> None:
    worker = start("chatty", tmp_path / "log")

    assert worker.run("7", 2) >= 0
    worker.close()
    assert "more" in (tmp_path / "log").read_text("utf-8")


def test_the_end_of_a_process_is_reported_with_its_last_line(tmp_path: Path) -> None:
    worker = start("dying", tmp_path / "log")

    with pytest.raises(Absent, match="ended with 3: segmentation fault"):
        worker.check("7")
    worker.close()


def test_a_contender_whose_library_is_missing_is_absent(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="no_such_library"):
        start("needs_a_missing_library", tmp_path / "log")


def test_a_contender_whose_environment_is_missing_is_absent(tmp_path: Path) -> None:
    with pytest.raises(Absent, match="not installed"):
        WorkerProcess(Contender("peer", f"{TRIVIAL}:echo", environment="nowhere"), tmp_path / "log")


def test_a_failed_installation_is_remembered_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(Absent):
        install("odd", ("--no-index", "no-such-package-anywhere"), tmp_path)

    with pytest.raises(Absent, match=r"does not install: .*no-such-package-anywhere"):
        interpreter("odd", tmp_path)


def test_an_up_to_date_environment_is_kept(tmp_path: Path) -> None:
    (tmp_path / "kept" / "bin").mkdir(parents=True)
    (tmp_path / "kept" / "bin" / "python").touch()
    (tmp_path / "kept" / "installed").write_text("numpy==2.4.6", "utf-8")

    install("kept", ("numpy==2.4.6",), tmp_path)

    assert interpreter("kept", tmp_path) == tmp_path / "kept/bin/python"


def test_every_package_of_the_peers_is_pinned() -> None:
    packages = [package for line in read_list().values() for package in line]

    assert packages
    assert all(package.count("==") == 1 and "/" not in package for package in packages)


@pytest.mark.parametrize("server", ["mlserver", "bentoml", "litserve"])
def test_a_server_has_all_that_its_steps_import(server: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    imported = set(project["dependencies"]) - {"rich", "typer"}  # those of the programs

    assert imported <= {package.partition("==")[0] for package in read_list()[server]}
