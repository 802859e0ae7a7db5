"""Clips and errors as Protobuf messages, in both directions.

Errors follow https://google.aip.dev/193 and travel in the trailing metadata as grpc-status specifies.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from typing import cast

import grpc
import numpy as np
from gif_analyzer.v1 import clip_pb2
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.clip import CLIP_BYTES, CLIP_SHAPE, Clip, GifSource, check_clip
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
    shorten,
)

_WAIT = {"limit": "", "retry_after_s": "1"}  # of a server that says neither
WIRE_NAMES = {"timestamps_ms": "offsets_ms"}  # fields of `Clip` that the message names otherwise


def write_clip(clip: Clip, message: clip_pb2.Clip) -> None:
    """Write a clip into an existing message, which avoids another copy of its 1.5 MB.

    Raises:
        InvalidClip: the clip does not fit its contract.
    """
    check_clip(clip)
    message.frames = clip.frames.tobytes()
    message.offsets_ms[:] = clip.timestamps_ms


def read_clip(message: clip_pb2.Clip, source: GifSource | None = None) -> Clip:
    """Read a clip. Its frames are read-only, because they share the memory of the message.

    Raises:
        InvalidClip: the message does not fit the contract of a clip. It names the field of the message.
    """
    frames = message.frames
    if len(frames) != CLIP_BYTES:
        raise InvalidClip("frames", expected=f"{CLIP_BYTES:,} bytes", found=f"{len(frames):,} bytes")
    clip = Clip(np.frombuffer(frames, np.uint8).reshape(CLIP_SHAPE), tuple(message.offsets_ms), source)
    try:
        check_clip(clip)
    except InvalidClip as error:
        about = dict(error.details)
        field = about.pop("field")
        raise InvalidClip(WIRE_NAMES.get(field, field), **about) from error
    return clip


def source_to_message(source: GifSource) -> clip_pb2.GifSource:
    """Write what is known about a file; the message has the same fields."""
    return clip_pb2.GifSource(**dataclasses.asdict(source))


def source_from_message(message: clip_pb2.GifSource) -> GifSource:
    """Read what is known about a file."""
    return GifSource(**{field.name: getattr(message, field.name) for field in dataclasses.fields(GifSource)})


def to_status(error: AnalyzerError) -> status_pb2.Status:
    """Write an error with its reason and details. Longer texts than headers can hold are cut."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=DOMAIN,
        metadata={name: shorten(value) for name, value in error.details.items()},
    )
    details: list[Message] = [info]
    if isinstance(error, InvalidArgument | InvalidClip):
        field = error.details["field"]
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=f"clip.{field}" if isinstance(error, InvalidClip) else field,
            description=shorten(error.message),
            reason=error.reason,
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, Overloaded):
        delay = duration_pb2.Duration()
        delay.FromTimedelta(datetime.timedelta(seconds=float(error.details["retry_after_s"])))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=grpc.StatusCode[error.grpc_code].value[0], message=shorten(error.message))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def from_rpc_error(error: grpc.RpcError, *, service: str, timeout_s: float) -> AnalyzerError:
    """Convert the error of a call into the error that the local function would have raised.

    Args:
        error: as grpc raises it.
        service: address of the service, for the message.
        timeout_s: deadline of the call, in seconds.
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
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in why:  # from grpc, without details
        return MessageTooLarge(service, why)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "Concurrent RPC limit" in why:  # likewise
        return Overloaded.restore(f"overloaded: {service} has as many calls as it accepts", _WAIT)
    return InternalError(f"{service} answered {code.name}: {why}")


def read_retry_delay_s(error: grpc.RpcError) -> float | None:
    """Return after how many seconds a service asks to be called again; None if it does not."""
    retry = error_details_pb2.RetryInfo()
    for detail in _details(cast(grpc.Call, error)):
        if detail.Unpack(retry):
            delay_s: float = retry.retry_delay.ToTimedelta().total_seconds()
            return max(delay_s, 0.0)
    return None


def _error_info(call: grpc.Call) -> error_details_pb2.ErrorInfo | None:
    """Find the details that our services send; None in an error of anything else, such as a proxy."""
    info = error_details_pb2.ErrorInfo()
    for detail in _details(call):
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _details(call: grpc.Call) -> Iterable[any_pb2.Any]:
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):
        return ()
    return status.details if status is not None else ()
