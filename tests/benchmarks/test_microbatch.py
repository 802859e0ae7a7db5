from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import microbatch


def test_a_way_is_compared_with_one_by_one_round_by_round() -> None:
    one, groups = microbatch.rows({microbatch.ONE_BY_ONE: [1.0, 2.0, 4.0], "in groups": [2.0, 2.0, 2.0]}, 8)

    assert (one.milliseconds, one.ratio, one.low, one.high) == (250.0, 1.0, 1.0, 1.0)
    assert (groups.milliseconds, groups.ratio, groups.low, groups.high) == (250.0, 1.0, 0.5, 2.0)


def test_every_way_is_measured(model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    microbatch.main(model=model_path, rounds=1, as_json=True)

    rows = json.loads(capsys.readouterr().out)

    assert [row["way"] for row in rows] == [
        "one by one",
        "in groups of 2",
        "in groups of 4",
        "in groups of 8",
    ]
    assert all(row["milliseconds"] > 0 for row in rows)
