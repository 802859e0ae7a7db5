"""One request through several processes: a trace, by W3C Trace Context.

A process that receives a request calls `receive` with its headers: it continues the trace of the caller, or
begins one. While it answers, every line of the JSON log has the ids of the trace and of the span, and
`outgoing` returns the headers for the next process.

Spans are only measured and exported after `services.otel.start_export`. Until then a span is an id.
https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, ParamSpec, Protocol, TypeVar

from services.errors import ReasonedError

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"  # names of HTTP headers and of gRPC metadata
MAX_STATE = 512  # characters of tracestate that are passed on, as the specification recommends
MAX_MEMBERS = 32  # of tracestate; with more, all of it is invalid
LONG_MEMBER = 128  # characters; longer members are dropped first
# A later version may add fields behind a hyphen; its first four are read as those of version 00.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)

Kind = Literal["server", "client", "internal"]
Value = str | bool | int | float
Attributes = Mapping[str, Value]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class TraceContext:
    """A place in a trace.

    Attributes:
        trace_id: 32 lower-case hexadecimal digits.
        span_id: 16 lower-case hexadecimal digits.
        flags: 0..255; bit 0 says that the trace may have been recorded.
        state: the header `tracestate`, which is only passed on.
    """

    trace_id: str
    span_id: str
    flags: int = 1
    state: str = ""

    @classmethod
    def parse(cls, parents: Sequence[str], states: Sequence[str] = ()) -> TraceContext | None:
        """Read the values of both headers.

        Returns:
            None if `traceparent` is missing, repeated or invalid, because the specification says to begin a
            trace then. An invalid `tracestate` is ignored.
        """
        if len(parents) != 1:
            return None
        found = _TRACEPARENT.fullmatch(parents[0].strip(" \t"))
        if found is None:
            return None
        version, trace_id, span_id, flags, more = found.groups()
        if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
            return None
        return cls(trace_id, span_id, int(flags, 16), _read_state(states))

    def child(self) -> TraceContext:
        """Return a place in the same trace with a span id of its own."""
        return dataclasses.replace(self, span_id=os.urandom(8).hex())

    @property
    def traceparent(self) -> str:
        """The header, in version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags & 1:02x}"  # version 00 defines one flag


class Recording(Protocol):
    """A span that is being measured."""

    @property
    def context(self) -> TraceContext:
        """Its place in the trace."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes to the span; those of the same name are replaced."""

    def rename(self, name: str) -> None:
        """Set the name, where it is only known at the end."""

    def end(self, error: str | None) -> None:
        """End it, with the reason of the error if there was one."""


class Recorder(Protocol):
    """Measures spans and exports them."""

    def begin(
        self, name: str, kind: Kind, parent: TraceContext | None, *, remote: bool, attributes: Attributes
    ) -> Recording:
        """Begin a span; `remote` says that the parent is in another process."""

    def close(self) -> None:
        """Export what has ended."""


@dataclass
class Span:
    """A part of a trace.

    Attributes:
        context: its place in the trace; None outside of a trace.
        recording: None where it is not measured; then nothing else has an effect.
    """

    context: TraceContext | None
    recording: Recording | None = None
    error: str | None = None

    def set(self, attributes: Attributes) -> None:
        """Add attributes. They must hold nothing private: no path of an address, no digest of a file."""
        if self.recording is not None:
            self.recording.set(attributes)

    def rename(self, name: str) -> None:
        """Set the name, where it is only known at the end."""
        if self.recording is not None:
            self.recording.rename(name)

    def fail(self, reason: str) -> None:
        """Mark it as failed, where the error is answered instead of raised."""
        self.error = reason


_NONE = Span(None)
_current: ContextVar[Span] = ContextVar("span", default=_NONE)
_recorder: Recorder | None = None


def record_with(recorder: Recorder | None) -> None:
    """Measure the spans that begin from now on, or with None stop doing so."""
    global _recorder  # noqa: PLW0603 - one recorder for a process, as there is one log
    _recorder = recorder


def close() -> None:
    """Export the spans that have ended. Programs call it before they exit."""
    if _recorder is not None:
        _recorder.close()


def current() -> Span:
    """Return the current span."""
    return _current.get()


def outgoing() -> tuple[tuple[str, str], ...]:
    """Return the headers with which another process continues the current trace; none outside of one."""
    context = _current.get().context
    if context is None:
        return ()
    headers = ((TRACEPARENT, context.traceparent),)
    return (*headers, (TRACESTATE, context.state)) if context.state else headers


@contextlib.contextmanager
def receive(
    name: str,
    parents: Sequence[str],
    states: Sequence[str] = (),
    *,
    recorded: bool = True,
    attributes: Attributes = {},  # noqa: B006 - never changed
) -> Iterator[Span]:
    """Continue the trace of a request, or begin one, during the block.

    Args:
        name: of the span.
        parents: every value of `traceparent`.
        states: every value of `tracestate`.
        recorded: False for requests that nobody wants to see in a trace, such as those of health checks.
        attributes: of the span.
    """
    parent = TraceContext.parse(parents, states)
    if _recorder is not None and recorded:
        recording = _recorder.begin(name, "server", parent, remote=True, attributes=attributes)
        span = Span(recording.context, recording)
    else:
        # This process's log has the trace, so the flag is set, and a service that exports traces does so.
        span = Span((parent or TraceContext(os.urandom(16).hex(), "")).child())
    with _entered(span):
        yield span


@contextlib.contextmanager
def step(
    name: str,
    kind: Kind = "internal",
    attributes: Attributes = {},  # noqa: B006 - never changed
) -> Iterator[Span]:
    """Measure a part of the current span during the block. It does nothing where no span is measured."""
    parent = _current.get()
    if _recorder is None or parent.recording is None:
        yield _NONE
        return
    recording = _recorder.begin(name, kind, parent.context, remote=False, attributes=attributes)
    span = Span(recording.context, recording)
    with _entered(span):
        yield span


def traced(name: str, describe: Callable[[T], Attributes]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a decorator that measures each call of a function as a step.

    Args:
        name: of the step.
        describe: result -> attributes.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
            if _recorder is None:
                return function(*args, **kwargs)
            with step(name) as span:
                result = function(*args, **kwargs)
                span.set(describe(result))
                return result

        return wrapped

    return decorate


def add_ids(record: logging.LogRecord) -> bool:
    """Add the ids of the current trace and span to a log record: a filter that keeps every record."""
    context = _current.get().context
    if context is not None:
        record.trace_id, record.span_id = context.trace_id, context.span_id
    return True


@contextlib.contextmanager
def _entered(span: Span) -> Iterator[None]:
    """Make a span the current one, and end it with the error that the block raised."""
    token = _current.set(span)
    try:
        yield
    except BaseException as error:
        if span.error is None:  # and no message: it may quote what a user sent
            span.fail(error.reason if isinstance(error, ReasonedError) else type(error).__name__)
        raise
    finally:
        _current.reset(token)
        if span.recording is not None:
            span.recording.end(span.error)


def _read_state(states: Sequence[str]) -> str:
    """Combine the headers, and shorten them to what is passed on; "" if they are invalid."""
    members = [member.strip(" \t") for state in states for member in state.split(",")]
    members = [member for member in members if member]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > MAX_MEMBERS or len(keys) < len(members) or not all(map(_MEMBER.fullmatch, members)):
        return ""
    if len(",".join(members)) > MAX_STATE:
        members = [member for member in members if len(member) <= LONG_MEMBER]
    while len(",".join(members)) > MAX_STATE:
        members.pop()
    return ",".join(members)
