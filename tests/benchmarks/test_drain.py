from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from benchmarks import drain


def test_no_call_is_lost_or_answered_twice_when_the_server_is_told_to_end(
    model_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = drain.measure(model_path)

    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(dataclasses.asdict(report))}\n")
    assert (report.lost, report.twice, report.unfinished) == ([], [], 0)
    assert report.exit_code == 0
    assert report.drain_s < drain.GRACE_S
    # The test is worth something only if much was going on.
    assert report.in_flight >= 20
    assert report.given_up == 20
    assert sum(report.outcomes.values()) == drain.CALLS
    assert report.outcomes["OK"] >= drain.CALLS - report.given_up
    assert report.outcomes["DEADLINE_EXCEEDED"] + report.outcomes["CANCELLED"] >= 10
    assert report.late_outcomes["UNAVAILABLE"] >= 1
    assert report.logged["OK"] == report.outcomes["OK"] + report.late_outcomes.get("OK", 0)
