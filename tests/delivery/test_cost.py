"""The cost estimate: values computed by hand, laws that always hold, and invalid files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.cost import FREE_GB_S, MEMORIES_MB, Measurement, best, plan
from delivery.errors import InvalidMeasurement, InvalidOption
from tests.support.programs import call

MEASURED = Measurement(
    cold_ms=1000.0, warm_ms=100.0, peak_memory_bytes=300 * 2**20, made="2026-11-24", rounds=9
)

measurements = st.builds(
    Measurement,
    cold_ms=st.floats(50, 10_000),
    warm_ms=st.floats(1, 2_000),
    peak_memory_bytes=st.integers(50 * 2**20, 2_000 * 2**20),
    made=st.just("2026-11-24"),
    rounds=st.just(9),
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The part of the benchmark's result file that the estimate reads."""
    path = tmp_path / "cold_start.json"
    values = {"cold_ms": 1000.0, "warm_ms": 100.0, "peak_memory_bytes": 300 * 2**20}
    path.write_text(json.dumps({**values, "made": "2026-11-24", "rounds": 9, "variants": {}}))
    return path


def test_warm_requests_cost_what_they_cost_by_hand() -> None:
    found = plan(MEASURED, 1024, cold_share=0.0)

    assert found.warm_ms == pytest.approx(100 * 1769 / 1024)
    assert found.gb_s == pytest.approx(0.173)  # 172.8 ms are billed as 173, at one GB
    assert found.gifs == 1_000_000  # requests run out first
    assert found.million_usd == 0


def test_cold_requests_cost_what_they_cost_by_hand() -> None:
    found = plan(MEASURED, 2048, cold_share=1.0)

    assert found.cold_ms == 1000  # more than one processor does not help
    assert found.gb_s == pytest.approx(2.0)
    assert found.gifs == 200_000
    assert found.million_usd == pytest.approx((2_000_000 - 400_000) * 0.0000166667)


def test_the_best_size_is_one_processor_when_nothing_waits() -> None:
    plans = [plan(MEASURED, memory, cold_share=0.3) for memory in MEMORIES_MB]

    assert best(plans).memory_mb == 1769
    assert [each.memory_mb for each in plans if not each.enough] == [256]


def test_the_best_size_is_smaller_when_most_of_the_time_is_waiting() -> None:
    plans = [plan(MEASURED, memory, cold_share=0.0, wait_ms=2000) for memory in MEMORIES_MB]

    assert best(plans).memory_mb == 512  # the smallest that holds the peak


@given(measurements, st.sampled_from(MEMORIES_MB), st.floats(0, 1), st.floats(0, 1))
def test_more_cold_starts_are_never_cheaper(
    measured: Measurement, memory: int, one: float, other: float
) -> None:
    if measured.cold_ms < measured.warm_ms:
        return
    less, more = sorted((one, other))

    assert plan(measured, memory, cold_share=less).gifs >= plan(measured, memory, cold_share=more).gifs


@given(measurements, st.sampled_from(MEMORIES_MB), st.floats(0, 1))
def test_the_free_gifs_stay_within_the_free_limits(measured: Measurement, memory: int, share: float) -> None:
    found = plan(measured, memory, cold_share=share)

    assert 0 <= found.gifs <= 1_000_000
    assert found.gifs * found.gb_s <= FREE_GB_S * (1 + 1e-9)


@pytest.mark.parametrize(("share", "wait"), [(1.5, 0.0), (-0.1, 0.0), (float("nan"), 0.0), (0.5, -1.0)])
def test_impossible_shares_and_waits_are_refused(share: float, wait: float) -> None:
    with pytest.raises(InvalidOption):
        plan(MEASURED, 1024, cold_share=share, wait_ms=wait)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "it lacks 'cold_ms'"),
        ("not JSON", "Expecting value"),
        ("[]", "list indices"),
        ('{"cold_ms": -1, "warm_ms": 1, "peak_memory_bytes": 1, "made": "", "rounds": 1}', "above zero"),
    ],
)
def test_an_invalid_file_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)

    with pytest.raises(InvalidMeasurement, match=said):
        Measurement.read(path)


def test_the_command_prints_the_same_as_text_and_as_json(written: Path) -> None:
    words = ("cost", "--measurement", written, "--cold-share", "0.2")
    text = call("gif-deliver", *words)
    printed = json.loads(call("gif-deliver", *words, "--json").stdout)

    assert text.returncode == 0, text.stderr
    assert printed["best_memory_mb"] == 1769
    # 0.2 x 1 s and 0.8 x 0.1 s at 1769 MB: 0.484 GB-s
    assert printed["gifs_a_month"] == pytest.approx(827_000, rel=0.001)
    assert text.stdout.startswith(f"{printed['gifs_a_month']:,} GIFs a month for nothing with 1769 MB")
    assert "a model" in text.stdout
    assert "best" in text.stdout


def test_without_a_measurement_the_command_says_what_to_run(tmp_path: Path) -> None:
    done = call("gif-deliver", "cost", "--measurement", str(tmp_path / "none.json"))

    assert done.returncode == 2
    assert done.stderr.endswith("there is no such file; python -m benchmarks cold-start writes it\n")
    assert done.stderr.startswith("error: ")
