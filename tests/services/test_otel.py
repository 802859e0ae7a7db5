from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gateway.fetch.address import ANY_HOST, FetchSettings
from gateway.fetch.fetcher import Fetcher
from gateway.pipeline import local
from services import otel, tracing
from services.errors import InvalidSetting, NotAGif
from tests.support.local_host import NO_TRUST, Detour, LocalHost, Names, http_answer

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def exported() -> Iterator[InMemorySpanExporter]:
    """What is exported during a test."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record_with(otel.OpenTelemetry(provider))
    yield exporter
    tracing.record_with(None)


def test_the_steps_of_a_pipeline_are_spans_that_do_not_identify_the_file(
    exported: InMemorySpanExporter, model_path: Path, save_gif: Callable[..., Path]
) -> None:
    pipeline = local(model_path)
    gif = save_gif("private-name.gif", "red", "blue").read_bytes()
    clip = pipeline.decode(gif)
    exported.clear()

    with tracing.receive("request", [PARENT], ["vendor=1"]) as span:
        pipeline.identify(gif)

    preprocess, inference, request = exported.get_finished_spans()
    assert (preprocess.name, inference.name, request.name) == ("preprocess", "inference", "request")
    assert f"{request.context.trace_id:032x}" == PARENT[3:35]
    assert request.parent is not None and f"{request.parent.span_id:016x}" == PARENT[36:52]
    assert request.parent.is_remote
    assert request.context.trace_state.to_header() == "vendor=1"
    for step in (preprocess, inference):
        assert step.parent is not None and step.parent.span_id == request.context.span_id
    assert preprocess.attributes is not None and inference.attributes is not None
    assert dict(preprocess.attributes) == {
        "gif_analyzer.format": "gif",
        "gif_analyzer.bytes": len(gif),
        "gif_analyzer.frame_count": 2,
        "gif_analyzer.width": 64,
        "gif_analyzer.height": 48,
    }
    assert set(inference.attributes) == {
        f"gif_analyzer.{name}" for name in ("model", "verdict", "votes", "matches")
    }
    assert clip.source is not None
    assert clip.source.sha256 not in str([each.to_json() for each in exported.get_finished_spans()])
    assert span.context is not None


def test_a_failed_step_has_the_reason_and_no_message(
    exported: InMemorySpanExporter, model_path: Path
) -> None:
    pipeline = local(model_path)

    with tracing.receive("request", []), pytest.raises(NotAGif):
        pipeline.identify(b"<html>private")

    [preprocess, request] = exported.get_finished_spans()
    assert preprocess.status.status_code is StatusCode.ERROR
    assert preprocess.attributes == {"error.type": "NOT_A_GIF"}
    assert preprocess.events == ()
    assert request.status.status_code is StatusCode.UNSET  # the error was answered


def test_a_fetch_is_a_span_with_the_host_alone_which_gets_no_header(exported: InMemorySpanExporter) -> None:
    host = LocalHost({"/private.gif?key=secret": http_answer(b"GIF89a")})
    settings = FetchSettings(hosts=ANY_HOST)

    async def fetch() -> bytes:
        fetcher = Fetcher(settings, resolver=Names(), connector=Detour(host), tls=NO_TRUST)
        with tracing.receive("request", [PARENT]):
            return await fetcher("http://example.org/private.gif?key=secret")

    try:
        assert asyncio.run(fetch()) == b"GIF89a"
    finally:
        host.close()
    span, _ = exported.get_finished_spans()
    assert (span.name, span.attributes) == (
        "fetch",
        {"server.address": "example.org", "gif_analyzer.bytes": 6},
    )
    assert "traceparent" not in host.asked[0].lower()


def test_what_nobody_wants_to_see_is_not_recorded(exported: InMemorySpanExporter) -> None:
    with tracing.receive("health", [PARENT], recorded=False), tracing.step("inside"):
        headers = tracing.outgoing()

    assert exported.get_finished_spans() == ()
    assert headers[0][1].startswith(PARENT[:36])


def test_a_caller_that_does_not_sample_is_followed(exported: InMemorySpanExporter) -> None:
    with tracing.receive("request", [PARENT[:-2] + "00"]):
        [(_, header)] = tracing.outgoing()

    assert exported.get_finished_spans() == ()
    assert header.startswith(PARENT[:36]) and header.endswith("-00")


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(InvalidSetting, match=variable):
        otel.start_export("x", environ)


def test_without_the_extra_a_server_says_what_to_install_and_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)

    with caplog.at_level(logging.WARNING):
        otel.start_export("x", {"OTEL_TRACES_EXPORTER": "otlp"})

    [record] = caplog.records
    assert "pip install '.[otel]'" in vars(record)["why"]
    with tracing.receive("x", []) as span:
        assert span.recording is None
