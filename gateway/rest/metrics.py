"""Figures for Prometheus: **Observed** -> counters -> the page at /metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from gateway.rest.observer import Observed

MEDIA_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What has been answered since the start.

    Args:
        in_flight: says how many GIFs are being answered.
        cache_bytes: says how much the kept answers take.
    """

    def __init__(self, *, in_flight: Callable[[], float], cache_bytes: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "gif_analyzer_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._errors = Counter(
            "gif_analyzer_http_errors_total", "Errors answered.", ("reason",), registry=self._registry
        )
        self._seconds = Histogram(
            "gif_analyzer_http_request_seconds",
            "Time from the first byte of a request to the last of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._gifs = Counter(
            "gif_analyzer_gifs_total", "GIFs identified.", ("from_cache",), registry=self._registry
        )
        for name, text, value in (
            ("gif_analyzer_gifs_in_flight", "GIFs being answered.", in_flight),
            ("gif_analyzer_cache_bytes", "Memory that kept answers take.", cache_bytes),
        ):
            Gauge(name, text, registry=self._registry).set_function(value)

    def record(self, seen: Observed) -> None:
        """Count one request."""
        self._requests.labels(seen.method, seen.route, seen.status).inc()
        self._seconds.labels(seen.route).observe(seen.seconds)
        if seen.reason:
            self._errors.labels(seen.reason).inc()
        if seen.kept is not None:
            self._gifs.labels(str(seen.kept).lower()).inc()

    def page(self) -> bytes:
        """All figures, as Prometheus reads them."""
        return generate_latest(self._registry)
