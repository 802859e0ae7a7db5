"""Exports spans with OpenTelemetry, over OTLP/HTTP, as the standard OTEL_* variables say.

Nothing of OpenTelemetry is imported unless these variables ask for traces.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from services.errors import InvalidSetting
from services.extras import advice
from services.tracing import Attributes, Kind, TraceContext, record_with

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

CLOSE_S = 5.0  # seconds that a program waits at its end for a collector to take the last spans
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_log = logging.getLogger(__name__)


def start_export(service: str, environ: Mapping[str, str] = os.environ) -> None:
    """Export the spans of this process if the environment asks for it.

    Args:
        service: name of this process in traces, unless the environment names it.
        environ: the variables. The SDK reads further ones itself.

    Raises:
        InvalidSetting: the environment asks for an exporter or a protocol that this project lacks.
    """
    if not _is_wanted(environ):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        # Platforms set OTEL_* for every container, so a missing extra does not keep a server from starting.
        _log.warning("traces are not exported", extra={"why": advice(error.name or "", takes="otel")})
        return
    found = Resource.create()
    named = not str(found.attributes.get("service.name", "")).startswith("unknown_service")
    provider = TracerProvider(
        resource=found if named else found.merge(Resource({"service.name": service})), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    record_with(OpenTelemetry(provider))


class OpenTelemetry:
    """A `services.tracing.Recorder` that hands spans to a provider of the SDK."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("gif-analyzer")

    def begin(
        self, name: str, kind: Kind, parent: TraceContext | None, *, remote: bool, attributes: Attributes
    ) -> _Recording:
        """Begin a span, if the sampler wants it; else one that only has ids."""
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.context import Context  # noqa: PLC0415

        around = Context()
        if parent is not None:
            place = trace.SpanContext(
                int(parent.trace_id, 16),
                int(parent.span_id, 16),
                is_remote=remote,
                trace_flags=trace.TraceFlags(parent.flags),
                trace_state=trace.TraceState.from_header([parent.state]),
            )
            around = trace.set_span_in_context(trace.NonRecordingSpan(place), around)
        span = self._tracer.start_span(
            name, around, kind=trace.SpanKind[kind.upper()], attributes=dict(attributes)
        )
        return _Recording(span)

    def close(self) -> None:
        """Export the spans that have ended, waiting at most `CLOSE_S` for the collector."""
        closing = threading.Thread(target=self._provider.shutdown, name="otel-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S)


class _Recording:
    """A span of OpenTelemetry as a `services.tracing.Recording`."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @property
    def context(self) -> TraceContext:
        """Its place in the trace."""
        place = self._span.get_span_context()
        return TraceContext(
            f"{place.trace_id:032x}",
            f"{place.span_id:016x}",
            int(place.trace_flags),
            place.trace_state.to_header(),
        )

    def set(self, attributes: Attributes) -> None:
        """Add attributes to the span; those of the same name are replaced."""
        self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        """Set the name, where it is only known at the end."""
        self._span.update_name(name)

    def end(self, error: str | None) -> None:
        """End it, with the reason of the error if there was one."""
        if error is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 - an extra

            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether to export traces: an exporter or an endpoint is named, and nothing turns it off."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    if not exporter and not any(environ.get(name) for name in ENDPOINTS):
        return False
    if exporter not in ("", "otlp"):
        raise InvalidSetting("OTEL_TRACES_EXPORTER", expected="otlp or none", found=exporter)
    for name in PROTOCOLS:
        if protocol := environ.get(name, "").strip():
            if protocol != "http/protobuf":
                raise InvalidSetting(name, expected="http/protobuf", found=protocol)
            break
    return True
