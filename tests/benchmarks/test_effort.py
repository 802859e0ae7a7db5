"""What early exit saves: three ways in turns, put together by the share of clips that stop."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.effort import measure, read_stopped
from services.errors import ModelError
from services.inference import Classifier


def test_the_ratio_follows_from_the_times_and_the_share(
    early_exit_path: Path, save_gif: Callable[..., Path]
) -> None:
    gifs = [save_gif("one.gif", "red").read_bytes(), save_gif("two.gif", "red", "blue").read_bytes()]

    report = measure(Classifier(early_exit_path), gifs, stopped=0.25, turns=2)

    assert (report.gifs, report.turns, report.stopped) == (2, 2, 0.25)
    early = 0.25 * report.first_ms + 0.75 * report.parts_ms
    assert report.inference_ratio == pytest.approx(report.whole_ms / early, rel=0.05)
    whole, parts = report.decode_ms + report.whole_ms, report.decode_ms + early
    assert report.line_ratio == pytest.approx(whole / parts, rel=0.05)


def test_the_program_prints_json(
    early_exit_path: Path, save_gif: Callable[..., Path], tmp_path: Path
) -> None:
    effort = tmp_path / "effort.json"
    effort.write_text(json.dumps({"followed": [{"stopped": {"value": 0.1}}, {"stopped": {"value": 0.4}}]}))
    command = [sys.executable, "-m", "benchmarks.effort", "--model", str(early_exit_path), "--turns", "1"]

    done = subprocess.run(
        [*command, "--effort", str(effort), str(save_gif("red.gif", "red"))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert read_stopped(effort) == 0.4
    assert json.loads(done.stdout)["stopped"] == 0.4


def test_a_model_without_a_rule_is_refused(model_path: Path) -> None:
    with pytest.raises(ModelError, match="no rule"):
        measure(Classifier(model_path), [], stopped=0.5, turns=1)
