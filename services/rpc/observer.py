"""What is seen of every call: one log line, the metrics, and any error turned into its status.

A call passes through **CallObserver** -> the service -> back through CallObserver.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
from grpc import aio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.errors import AnalyzerError, InternalError
from services.rpc.status import to_status

REQUEST_ID = "x-request-id"  # metadata: chosen by the caller, or by us; the answer carries it back
MAX_REQUEST_ID = 128  # characters that are logged of it
STATUS_DETAILS = "grpc-status-details-bin"  # metadata: where grpc-status puts a google.rpc.Status
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds

_log = logging.getLogger(__name__)

Behaviour = Callable[[Any, aio.ServicerContext[Any, Any]], Awaitable[Any]]


class CallObserver(aio.ServerInterceptor):
    """Sees every unary call; the streams of health and reflection last as long as their client likes.

    Args:
        registry: that the metrics go to.

    Attributes:
        begun: unary calls that were taken on, ever.
        in_flight: those of them whose answer is not yet sent.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.begun = 0
        self.in_flight = 0
        self._calls = Counter(
            "gif_analyzer_rpc_calls", "Calls that ended", ("rpc", "code"), registry=registry
        )
        self._errors = Counter(
            "gif_analyzer_rpc_errors", "Calls that ended with an error", ("rpc", "reason"), registry=registry
        )
        self._seconds = Histogram(
            "gif_analyzer_rpc_seconds", "Time to an answer", ("rpc",), registry=registry, buckets=_BUCKETS
        )
        self._in_flight = Gauge(
            "gif_analyzer_rpc_in_flight", "Calls that wait or are computed", ("rpc",), registry=registry
        )

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Put ourselves around a unary method."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        request_id = str(metadata.get(REQUEST_ID, ""))[:MAX_REQUEST_ID] or uuid.uuid4().hex
        behaviour = cast(Behaviour, handler.unary_unary)
        rpc = handler_call_details.method.lstrip("/")

        async def observed(request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
            return await self._observe(behaviour, request, context, rpc, request_id)

        return grpc.unary_unary_rpc_method_handler(
            observed,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _observe(
        self,
        behaviour: Behaviour,
        request: Any,
        context: aio.ServicerContext[Any, Any],
        rpc: str,
        request_id: str,
    ) -> Any:
        start = time.perf_counter()
        code, reason = "OK", ""
        self.begun += 1
        self.in_flight += 1
        # Not in `finally` below: the answer is sent after that.
        context.add_done_callback(self._done)  # type: ignore[arg-type] # the stubs want a class of theirs
        self._in_flight.labels(rpc).inc()
        try:
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            return await behaviour(request, context)
        except AnalyzerError as error:
            code, reason = error.grpc_code, error.reason
            await _abort(context, error, request_id)
        except asyncio.CancelledError:
            left = context.time_remaining()  # seconds; the caller's clock may be a little ahead of ours
            code = "CANCELLED" if left is None or left > 0.01 else "DEADLINE_EXCEEDED"
            raise
        except aio.AbortError:  # of grpc's own health service
            code = _code_name(context)
            raise
        except Exception:
            fault = InternalError()
            code, reason = fault.grpc_code, fault.reason
            _log.exception("a call failed", extra={"rpc": rpc, "request_id": request_id})
            await _abort(context, fault, request_id)
        finally:
            seconds = time.perf_counter() - start
            self._in_flight.labels(rpc).dec()
            self._calls.labels(rpc, code).inc()
            self._seconds.labels(rpc).observe(seconds)
            if reason:
                self._errors.labels(rpc, reason).inc()
            _log.info(
                "call",
                extra={
                    "rpc": rpc,
                    "code": code,
                    "reason": reason,
                    "duration_ms": round(seconds * 1000, 3),
                    "request_id": request_id,
                    "peer": context.peer(),
                },
            )

    def _done(self, _: aio.ServicerContext[Any, Any]) -> None:
        self.in_flight -= 1


async def _abort(context: aio.ServicerContext[Any, Any], error: AnalyzerError, request_id: str) -> None:
    status = to_status(error)
    await context.abort(
        grpc.StatusCode[error.grpc_code],
        status.message,
        ((REQUEST_ID, request_id), (STATUS_DETAILS, status.SerializeToString())),
    )


def _code_name(context: aio.ServicerContext[Any, Any]) -> str:
    found = cast(int | grpc.StatusCode, context.code())  # a number, whatever the stubs say
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return found.name if isinstance(found, grpc.StatusCode) else names.get(found, "UNKNOWN")
