"""What a billion GIFs take: the arithmetic, and that docs/scale.md says what it comes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from benchmarks import scale
from benchmarks.results import Entry, Item, Results, Section, load
from delivery.cost import Measurement
from tests.support.paths import ROOT


def test_a_gif_of_36_ms_is_ten_thousand_core_hours_a_billion() -> None:
    assert scale.core_hours(36.0) == pytest.approx(10_000)


def test_lambda_is_paid_by_gb_seconds_and_by_requests() -> None:
    assert scale.dollars(0.0) == pytest.approx(200)
    assert scale.dollars(0.2) == pytest.approx(200 + 2e8 * 0.0000166667)


def test_a_row_for_each_form_of_this_project_and_none_for_peers() -> None:
    items = (Item("a", "real GIFs"), Item("b", "real GIFs"), Item("c", "drawings"))
    entries = (
        Entry("this project", "1", "", ((0.036, 0.036, 9.0),)),
        Entry("OpenCV", "1", "", ((0.072, 0.072, 9.0),)),
    )
    section = Section("line", "key", 1, quick=False, items=items, entries=entries)
    measured = Measurement(cold_ms=900.0, warm_ms=100.0, peak_memory_bytes=1, made="2026-01-02", rounds=9)

    ways = scale.compute(Results(2, "3.11", "2026-01-02", {"line": section}), measured)

    rows = scale.table(ways).splitlines()[2:]

    assert [row.split(" | ")[0] for row in rows] == [
        "| processors of one's own, this project",
        "| AWS Lambda with 1769 MB",
    ]
    assert "10,000 core-hours | 417 cores for a day" in rows[0]
    assert "28 hours at 1,000 at once" in rows[1]


def test_the_page_says_what_the_measurements_come_to() -> None:
    printed = scale.table(scale.compute(load(scale.RESULTS), Measurement.read(scale.COLD_START)))

    assert printed in (ROOT / "docs/scale.md").read_text("utf-8")


def test_json_has_the_same_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    scale.main(as_json=True)

    printed = json.loads(capsys.readouterr().out)
    ways = scale.compute(load(scale.RESULTS), Measurement.read(scale.COLD_START))
    assert printed["own"][0]["core_hours"] == ways.own[0].core_hours
    assert printed["aws_lambda"]["usd"] == ways.aws_lambda.usd


def test_what_was_not_measured_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.json").write_text('{"cores": 2, "python": "3", "measured": "x", "sections": {}}')

    for name in ("none.json", "results.json"):
        with pytest.raises(typer.Exit) as ended:
            scale.main(tmp_path / name)

        assert ended.value.exit_code == 2
        assert capsys.readouterr().err.startswith("error: ")
