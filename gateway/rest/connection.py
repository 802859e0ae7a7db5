"""One connection of a client: **bytes** -> uvicorn's HTTP/1.1 -> **answers that arrive**, within limits.

uvicorn waits without an end for the head of a request and for a client that does not read. It closes a
connection whose client still sends, and then the system's reset overtakes the answer. All of that is mended
here, where bytes come in; bodies have limits of their own (`gateway.rest.limits`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.rest.limits import CROWDED
from gateway.rest.problem import problem
from services.errors import InvalidRequest

# Seconds that a client gets to send the head of a request, to read an answer, and to send the rest of a body
# that was answered early: what nginx and Apache give for the last of these.
PATIENCE_S = 30.0
SPARE = 64  # connections beyond the limit, on which those beyond it are told so


class Connection(H11Protocol):
    """uvicorn's connection, with limits.

    When there are too many, one that has no request in progress makes room, the longest idle one first. Where
    all are in use, the new one is still asked what it wants: health is answered, a body is refused.

    Args:
        most: connections at the same time, at least 1.
        given: what uvicorn gives.
    """

    transport: asyncio.Transport

    def __init__(self, *given: Any, most: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self._most = most
        self._crowded = False
        self._idle_since = 0.0
        self._patience: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take on a connection, or make it the one too many."""
        closing = _LateClose(cast(asyncio.Transport, transport), self._still_sends)
        super().connection_made(cast(asyncio.Transport, closing))
        self._idle_since = self.loop.time()
        if len(self.connections) > self._most:
            self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of a connection that has ended."""
        for timer in (self._patience, self._reading):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless the last answer has been given."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Handle what h11 has parsed; a head that it cannot parse is answered with 400."""
        try:
            super().handle_events()
        except ValueError:  # of a length with more than 4,300 digits, which h11 does not expect
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, in the form of all errors, and close."""
        answer = problem(InvalidRequest("it is not HTTP, or its head is too long"), uuid.uuid4().hex)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        try:
            parts = (h11.Response(status_code=400, headers=headers), h11.Data(data=bytes(answer.body)))
            for part in (*parts, h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        except h11.LocalProtocolError:  # an answer to what came before has begun
            self.transport.abort()
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        self._watch()

    def timeout_keep_alive_handler(self) -> None:
        """Close what was idle for too long."""
        super().timeout_keep_alive_handler()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly, though not for ever."""
        super().pause_writing()
        self._reading = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting: the client reads again."""
        if self._reading is not None:
            self._reading.cancel()
        super().resume_writing()

    def shutdown(self) -> None:
        """End it, after the answer in progress."""
        if self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    @property
    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _still_sends(self) -> bool:
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch(self) -> None:
        """Be patient with a client that owes us the end of something; uvicorn itself ends what is idle."""
        idle = self.timeout_keep_alive_task is not None and not self.transport.is_closing()
        if self._busy or idle:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None
        elif self._patience is None:
            self._patience = self.loop.call_later(PATIENCE_S, self.transport.abort)

    def _make_room(self) -> None:
        idle = [
            other
            for other in cast("set[Connection]", self.connections)
            if other is not self and not other._busy and not other._crowded
        ]
        if idle:
            longest = min(idle, key=lambda other: other._idle_since)
            self.connections.discard(longest)
            longest.transport.abort()
        elif len(self.connections) > self._most + SPARE:
            self.transport.abort()
        else:
            self._crowded = True
            self.app_state = {**self.app_state, CROWDED: True}  # each request gets a copy


class _LateClose:
    """A transport that is closed only once the client has stopped sending, so that it can read the answer.

    Args:
        transport: the connection itself.
        still_sends: whether something that nobody will read is still to come.
    """

    def __init__(self, transport: asyncio.Transport, still_sends: Callable[[], bool]) -> None:
        self._transport, self._still_sends = transport, still_sends
        self._discarding = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether no more is to be written."""
        return self._discarding or self._transport.is_closing()

    def close(self) -> None:
        """Say that no more comes; what still arrives is thrown away until the client closes, too."""
        if self.is_closing():
            return
        if self._still_sends():
            self._discarding = True
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
