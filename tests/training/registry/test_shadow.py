"""gif-train compare --shadow: how a challenger answered beside the champion, out of a log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.inference.shadow import MESSAGE, Compared
from training.cli import app
from training.errors import InvalidLog
from training.registry.shadow import measure_shadow, read_shadow

AGREED = Compared("1.0", "2.0", True, "show", ("Red",), "show", ("Red",), 10.0, 20.0, 0)
OTHER = replace(AGREED, agree=False, challenger_names=("Blue",), challenger_ms=40.0, passed_over=3)
UNSURE = replace(AGREED, agree=False, challenger_verdict="unknown", challenger_names=())
FAILED = replace(UNSURE, challenger_verdict=None, error="MODEL_ERROR")


def write_log(path: Path, lines: Sequence[Compared]) -> Path:
    records = ['{"message": "request"}', "Starting."]
    records += [json.dumps({"message": MESSAGE, **asdict(line)}) for line in lines]
    path.write_text("\n".join(records) + "\n", "utf-8")
    return path


def test_agreement_time_and_disagreements_are_summarised(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", [*[AGREED] * 7, OTHER, OTHER, UNSURE, FAILED])

    found = measure_shadow(read_shadow([log]))

    assert (found.champion, found.challenger, found.clips) == ("1.0", "2.0", 10)
    assert found.agreement.value == pytest.approx(0.7)
    assert found.agreement.low < 0.7 < found.agreement.high
    assert found.levels.value == pytest.approx(0.9)
    assert (found.failed, found.passed_over) == (1, 6)
    assert (found.classify_ms, found.challenger_ms) == (10.0, 20.0)
    assert [(each.champion, each.challenger, each.count) for each in found.disagreements] == [
        ("Red", "Blue", 2),
        ("Red", "unknown", 1),
    ]


def test_only_the_newest_pair_of_models_counts(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", [OTHER, OTHER, replace(AGREED, champion="2.0", challenger="3.0")])

    found = measure_shadow(read_shadow([log]))

    assert (found.champion, found.challenger, found.clips, found.passed_over) == ("2.0", "3.0", 1, 0)


def test_a_challenger_that_always_failed_has_no_figures(tmp_path: Path) -> None:
    found = measure_shadow(read_shadow([write_log(tmp_path / "a.log", [FAILED])]))

    assert (found.clips, found.failed) == (0, 1)
    assert "| same verdict | - |" in found.markdown()


def test_a_log_without_a_challenger_is_one_clear_error(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", [])
    with pytest.raises(InvalidLog, match="no challenger was asked: see GIF_ANALYZER_SHADOW_MODEL"):
        read_shadow([log])
    log.write_text('{"message": "shadow", "challenger": "2.0"}\n')
    with pytest.raises(InvalidLog, match="line 1: a line of a shadow is damaged"):
        read_shadow([log])


def test_the_command_prints_it_and_needs_no_registry(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", [AGREED, OTHER])

    text = CliRunner().invoke(app, ["compare", "--shadow", str(log)], catch_exceptions=False)
    plain = CliRunner().invoke(app, ["compare", "--shadow", str(log), "--json"], catch_exceptions=False)
    neither = CliRunner().invoke(app, ["compare"])

    assert (text.exit_code, plain.exit_code, neither.exit_code) == (0, 0, 2)
    assert "Challenger 2.0 beside champion 1.0" in text.stdout
    assert "| Red | Blue | 1 |" in text.stdout
    assert json.loads(plain.stdout)["clips"] == 2
