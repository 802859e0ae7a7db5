"""Errors on the wire: **AnalyzerError** <-> **google.rpc.Status** with ErrorInfo, BadRequest and RetryInfo.

https://google.aip.dev/193 says how such errors are written, grpc-status how they travel.
"""

from __future__ import annotations

import datetime
from typing import cast

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.errors import (
    DOMAIN,
    AnalyzerError,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    InvalidClip,
    MessageTooLarge,
    Overloaded,
    ServiceUnavailable,
    catalogue,
)

MAX_TEXT = 500  # characters of a value: what a caller sent comes back in it, and headers end at 8 KiB


def to_status(error: AnalyzerError) -> status_pb2.Status:
    """Write an error with all that it knows. Texts longer than 500 characters are cut."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=DOMAIN,
        metadata={name: _cut(value) for name, value in error.details.items()},
    )
    details: list[Message] = [info]
    if isinstance(error, InvalidArgument | InvalidClip):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_field(error), description=_cut(error.message), reason=error.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, Overloaded):
        delay = duration_pb2.Duration()
        delay.FromTimedelta(datetime.timedelta(seconds=float(error.details["retry_after_s"])))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=_number(error.grpc_code), message=_cut(error.message))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def from_rpc_error(error: grpc.RpcError, *, service: str, timeout_s: float) -> AnalyzerError:
    """Read what a call ended with: the very class that a local function would have raised, where it was one.

    Args:
        error: of a call, as grpc raises it.
        service: who was asked, for people.
        timeout_s: what the call was given, in seconds.
    """
    call = cast(grpc.Call, error)
    info = _error_info(call)
    if info is not None and info.reason in catalogue():
        return catalogue()[info.reason].restore(call.details() or "", dict(info.metadata))
    code, why = call.code(), call.details() or "no reason given"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(service, timeout_s=timeout_s)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return ServiceUnavailable(service, why)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in why:  # grpc's own, without details
        return MessageTooLarge(service, why)
    return InternalError(f"{service} answered {code.name}: {why}")


def _error_info(call: grpc.Call) -> error_details_pb2.ErrorInfo | None:
    """Find what our own services say; None in the answer of anything else on the way, such as a proxy."""
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _field(error: AnalyzerError) -> str:
    """Name the field of the request, as its message has it."""
    name = error.details["field"]
    return f"clip.{name}" if isinstance(error, InvalidClip) else name


def _number(code: str) -> int:
    return int(grpc.StatusCode[code].value[0])


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
