from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from services import tracing
from services.errors import NotAGif
from services.tracing import TraceContext
from services.workers import Workers
from tests.support.programs import python

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
SHORT = ",".join(f"k{index}={'y' * 40}" for index in range(9))


@pytest.mark.parametrize("header", [PARENT, f" {PARENT}\t"])
def test_a_valid_header_is_read(header: str) -> None:
    assert TraceContext.parse([header]) == TraceContext(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    ("header", "flags"),
    [(f"00-{TRACE}-{SPAN}-00", 0), (f"cc-{TRACE}-{SPAN}-01", 1), (f"cc-{TRACE}-{SPAN}-01-later", 1)],
)
def test_flags_and_later_versions_are_read(header: str, flags: int) -> None:
    assert TraceContext.parse([header]) == TraceContext(TRACE, SPAN, flags)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        [PARENT, PARENT],
        [PARENT.upper()],
        [f"ff-{TRACE}-{SPAN}-01"],
        [f"00-{TRACE}-{SPAN}"],
        [f"00-{TRACE}-{SPAN}-1"],
        [f"00-{TRACE}-{SPAN}-01-more"],
        [f"cc-{TRACE}-{SPAN}-01.more"],
        [f"00-{'0' * 32}-{SPAN}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"00-{TRACE[:-1]}-{SPAN}-01"],
        [f"00-{TRACE[:-1]}g-{SPAN}-01"],
        [f"{PARENT}\n"],
    ],
)
def test_an_invalid_header_is_ignored(headers: list[str]) -> None:
    assert TraceContext.parse(headers, ["a=1"]) is None


@pytest.mark.parametrize(
    ("states", "passed_on"),
    [
        ([], ""),
        (["a=1, b@c=2"], "a=1,b@c=2"),
        (["a=1", "b=2,"], "a=1,b=2"),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a"], ""),
        (["a=\n"], ""),
        ([",".join(f"k{index}=v" for index in range(33))], ""),
        ([f"a={'x' * 200}", SHORT], SHORT),  # too long: the long member is dropped first
    ],
)
def test_a_state_is_passed_on_if_it_is_valid(states: list[str], passed_on: str) -> None:
    parsed = TraceContext.parse([PARENT], states)

    assert parsed is not None
    assert parsed.state == passed_on


def test_a_state_is_cut_at_its_end_to_the_length_that_is_passed_on() -> None:
    parsed = TraceContext.parse([PARENT], [",".join(f"k{index}={'y' * 100}" for index in range(9))])

    assert parsed is not None
    assert parsed.state == ",".join(f"k{index}={'y' * 100}" for index in range(4))


def test_a_request_continues_the_trace_with_a_span_of_its_own() -> None:
    with tracing.receive("x", [PARENT], ["a=1"]):
        context, headers = tracing.current().context, tracing.outgoing()

    assert context is not None
    assert context.trace_id == TRACE
    assert context.span_id != SPAN
    assert headers == (("traceparent", f"00-{TRACE}-{context.span_id}-01"), ("tracestate", "a=1"))
    assert tracing.outgoing() == ()


def test_a_request_without_a_valid_header_begins_a_trace() -> None:
    contexts = []
    for _ in range(2):
        with tracing.receive("x", ["invalid"], ["a=1"]):
            contexts.append(tracing.current().context)

    first, second = contexts
    assert first and second and first.trace_id != second.trace_id
    assert TraceContext.parse([first.traceparent]) == first
    assert first.state == ""


def test_a_log_record_has_the_ids_of_its_request_also_in_a_worker() -> None:
    def make() -> logging.LogRecord:
        record = logging.makeLogRecord({})
        assert tracing.add_ids(record)
        return record

    async def answer() -> tuple[logging.LogRecord, str]:
        workers = Workers(1, 0)
        with tracing.receive("x", [PARENT]) as span:
            assert span.context is not None
            return await workers.run(make), span.context.span_id

    inside, span_id = asyncio.run(answer())
    outside = make()

    assert vars(inside)["trace_id"] == TRACE
    assert vars(inside)["span_id"] == span_id
    assert "trace_id" not in vars(outside)


def test_without_a_recorder_a_step_is_no_span_of_its_own() -> None:
    with tracing.receive("x", [PARENT]):
        before = tracing.outgoing()
        with contextlib.suppress(NotAGif), tracing.step("y") as span:
            assert tracing.outgoing() == before
            span.set({"a": 1})
            raise NotAGif("text")


def test_a_server_that_does_not_export_does_not_import_the_sdk() -> None:
    """FastAPI itself imports the API of OpenTelemetry where it is installed; the extra brings the rest."""
    program = (
        "import sys, gateway.rest.server, gateway.remote, services.pair, services.rpc.program\n"
        "from services.otel import start_export\n"
        "start_export('x', {'OTEL_SDK_DISABLED': 'true', 'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://localhost'})\n"
        "start_export('x', {})\n"
        "print([name for name in sys.modules if name in {'opentelemetry.sdk', 'opentelemetry.exporter'}])"
    )

    assert python(program).stdout == "[]\n"
