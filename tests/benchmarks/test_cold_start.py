"""The benchmark of cold starts: its arithmetic, and rounds of two small functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.studies.cold_start import (
    DELIVERED,
    TRIVIAL,
    Start,
    Variant,
    gb_seconds,
    markdown,
    measure,
    summarise,
)
from delivery.bundle.python import find_python
from tests.support.emulator import PYTHON, needs_emulator

STARTS = {
    TRIVIAL: [Start(100.0, 1.0, 10_000_000), Start(200.0, 1.0, 10_000_000), Start(110.0, 1.0, 10_000_000)],
    DELIVERED: [Start(500.0, 80.0, 200_000_000), Start(900.0, 90.0, 300_000_000), Start(560.0, 100.0, 1)],
    "without byte-code": [Start(1000.0, 80.0, 1), Start(2000.0, 90.0, 1), Start(1200.0, 100.0, 1)],
}
ANSWERING = """
import json

def handler(event, context):
    return {"statusCode": 200, "headers": {}, "body": json.dumps({"shows": [event["rawPath"]]})}

def failing(event, context):
    return {"statusCode": 500, "headers": {}, "body": "no"}
"""


def test_ratios_are_medians_of_those_within_a_round() -> None:
    found = summarise(STARTS)

    assert found[DELIVERED]["cold_ms"] == 560
    assert found[DELIVERED]["cold_to_trivial"] == 5.0  # 5, 4.5 and 5.09
    assert found["without byte-code"]["delivered_to_this"] == 0.467  # 0.5, 0.45 and 0.467
    assert found[DELIVERED]["peak_memory_bytes"] == 300_000_000


def test_the_table_names_every_variant_and_the_share_of_the_budget() -> None:
    text = markdown({"variants": summarise(STARTS), "gb_seconds": {"cold": 1.0, "warm": gb_seconds(100)}})

    assert all(f"| {name} |" in text for name in STARTS)
    assert "A cold request takes 1.000 GB-s at 1769 MB, 250% of the 0.4 GB-s" in text
    assert "A warm request takes 0.173 GB-s at 1769 MB, 43% of" in text


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A folder with a function that answers, and one that fails."""
    (tmp_path / "function.py").write_text(ANSWERING)
    return tmp_path


@needs_emulator
def test_every_variant_is_started_once_in_a_round(functions: Path) -> None:
    variants = [Variant(name, functions, "function.handler") for name in (TRIVIAL, DELIVERED)]
    said: list[str] = []

    times = measure(variants, rounds=2, python=find_python(PYTHON), say=said.append)

    assert [line.rpartition(": ")[2] for line in said] == [TRIVIAL, DELIVERED, DELIVERED, TRIVIAL]
    for its in times.values():
        assert len(its) == 2
        assert min(start.cold_ms for start in its) > 0


@needs_emulator
def test_a_function_that_does_not_answer_ends_the_measurement(functions: Path) -> None:
    variants = [Variant(TRIVIAL, functions, "function.failing")]

    with pytest.raises(RuntimeError, match=r'trivial: .*"statusCode": 500'):
        measure(variants, rounds=1, python=find_python(PYTHON), say=lambda line: None)
