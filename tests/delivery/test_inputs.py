"""Whatever a file of a user holds, `gif-deliver` accepts it or says in a typed error what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from delivery.answers import read_logs
from delivery.commands.drift import _read_reference
from delivery.cost import Measurement, plan
from delivery.drift import compare
from delivery.errors import DeliveryError
from services.inference.answers import Summary
from tests.support.traffic import MODEL, Traffic, as_line

USUAL = list(Traffic().answers(100, 1))
SUMMARY = Summary.of(USUAL, model_version=MODEL, source="simulated")
WHOLE = {
    "reference": json.dumps(SUMMARY.to_json()),
    "log": as_line(USUAL[0]),
    "measurement": '{"cold_ms": 1000, "warm_ms": 100, "peak_memory_bytes": 1, "made": "today", "rounds": 9}',
}
READERS: dict[str, Callable[[Path], object]] = {
    "reference": lambda path: compare(_read_reference(path, ""), SUMMARY),
    "log": lambda path: Summary.of(read_logs([path]), model_version=MODEL, source="a log"),
    "measurement": lambda path: plan(Measurement.read(path), 1024, cold_share=0.5),
}
VALUES = (
    *(None, True, -1, 0.5, 10**400, float("inf"), float("nan"), "", "show", "\ud800"),
    *([], [1], ["a"], {}, {"a": 1}, {"a": -1}, {"a": "b"}),
)


@pytest.mark.parametrize("name", READERS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary() | st.text().map(str.encode))
@example(content=b"[" * 100_000)
@example(content=b'{"form":' * 20_000)
@example(content=b"a" * 2_000_000)
@example(content=b"\0" * 2_000)
def test_any_bytes_are_accepted_or_a_typed_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    try:
        READERS[name](path)
    except DeliveryError as error:
        assert len(error.message) < 2_000


@pytest.mark.parametrize("name", READERS)
def test_a_file_with_one_wrong_value_is_accepted_or_a_typed_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    whole = json.loads(WHOLE[name])
    path.write_text(json.dumps(whole))
    READERS[name](path)

    for key in whole:
        for value in VALUES:
            path.write_text(json.dumps({**whole, key: value}))
            try:
                READERS[name](path)
            except DeliveryError as error:
                assert len(error.message) < 2_000
