"""Limits of the length, speed and memory of bodies, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.rest.limits import CROWDED, BodyLimit, hold
from gateway.settings import RestSettings
from services.errors import AnalyzerError, Overloaded, RequestTooLarge, RequestTooSlow


def part(content: bytes, *, last: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": not last}


def sender(*messages: Message, pause_s: float = 0.0) -> Receive:
    """What sends these, each after a pause, and then nothing more. Like uvicorn's, it may be cancelled."""
    left, due = list(messages), 0.0

    async def receive() -> Message:
        nonlocal due
        due = due or time.monotonic() + pause_s
        await asyncio.sleep(due - time.monotonic())
        due = 0.0
        return left.pop(0) if left else await asyncio.Future()

    return receive


async def read_whole(receive: Receive) -> bytes:
    content, more = b"", True
    while more:
        message = await receive()
        content, more = content + message["body"], message["more_body"]
    return content


async def no_answer(message: Message) -> None:
    raise AssertionError


def read(
    receive: Receive,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    crowded: bool = False,
    window_s: float = 10.0,
    **settings: float,
) -> bytes:
    """What an application reads of one body, or the error that it meets."""
    read: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        read.append(await read_whole(receive))

    limited = BodyLimit(app, settings=RestSettings(**settings), window_s=window_s)  # type: ignore[arg-type]
    scope = {"type": "http", "headers": list(headers), "state": {CROWDED: True} if crowded else {}}
    asyncio.run(limited(scope, receive, no_answer))
    return read[0]


def test_a_body_within_the_limits_is_read_as_it_is() -> None:
    assert read(sender(part(b"GIF"), part(b""), part(b"89a", last=True))) == b"GIF89a"


@pytest.mark.parametrize(
    ("receive", "settings", "error", "says"),
    [
        (sender(part(b"G")), {"body_s": 0.05}, RequestTooSlow, "its body took longer than 0.05 s"),
        (sender(part(b"G")), {"window_s": 0.05}, RequestTooSlow, "less than 1,000 bytes a second"),
        (
            *(sender(*[part(b"x")] * 100, pause_s=0.02), {"window_s": 0.1}),
            *(RequestTooSlow, "less than 1,000 bytes a second of its body arrived"),
        ),
        (
            sender(*[part(bytes(1_000))] * 100, pause_s=0.02),
            {"body_s": 0.3, "body_bytes_per_s": 0},
            RequestTooSlow,
            "its body took longer than 0.3 s",
        ),
        (
            sender(*[part(bytes(600))] * 2),
            {"max_body_bytes": 1_000},
            RequestTooLarge,
            "a body is limited to 1,000 bytes",
        ),
    ],
    ids=["nothing more in time", "nothing more", "a byte now and then", "for ever", "too long"],
)
def test_body_beyond_a_limit(
    receive: Receive, settings: dict[str, float], error: type[AnalyzerError], says: str
) -> None:
    with pytest.raises(error, match=says):
        read(receive, **settings)


@pytest.mark.parametrize("length", [b"1001", b"0001001", b"9" * 5_000])
def test_declared_length_is_refused_unread(length: bytes) -> None:
    with pytest.raises(RequestTooLarge):
        read(sender(), headers=[(b"content-length", length)], max_body_bytes=1_000)


@pytest.mark.parametrize("length", [b"6", b"0006", b"1000"])
def test_declared_length_within_the_limit(length: bytes) -> None:
    found = read(
        sender(part(b"GIF89a", last=True)), headers=[(b"content-length", length)], max_body_bytes=1_000
    )

    assert found == b"GIF89a"


def test_no_limit_of_speed() -> None:
    slow = sender(part(b"G"), part(b"I"), part(b"F", last=True), pause_s=0.03)

    assert read(slow, window_s=0.01, body_bytes_per_s=0) == b"GIF"


def test_busy_loop_causes_no_timeout() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert await read_whole(receive) == bytes(2)

    arrived = asyncio.Event()

    async def receive() -> Message:  # as uvicorn's: what has arrived is there without waiting
        await arrived.wait()
        return part(bytes(2), last=True)

    async def main() -> None:
        limited = BodyLimit(app, settings=RestSettings(body_s=0.05))

        def block() -> None:
            end = asyncio.get_running_loop().time() + 0.1
            while asyncio.get_running_loop().time() < end:
                pass
            arrived.set()

        asyncio.get_running_loop().call_soon(block)
        await limited({"type": "http", "headers": [], "state": {}}, receive, no_answer)

    asyncio.run(main())


def holding(go: asyncio.Event, whole: list[bytes], *, fetched: int = 0) -> BodyLimit:
    """A limit of 2,000 bytes before an application that reads a body, fetches, and ends when it may go."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_whole(receive)
        hold(fetched)
        whole.append(body)
        await go.wait()

    return BodyLimit(app, settings=RestSettings(max_body_bytes=1_000, held_bytes=2_000))


def ask(limited: BodyLimit, receive: Receive, *headers: tuple[bytes, bytes]) -> Awaitable[None]:
    return limited({"type": "http", "headers": list(headers), "state": {}}, receive, no_answer)


def test_memory_limit_of_all_bodies() -> None:
    """2,000 bytes may be held: a third body of 900 is refused, and taken when others have ended."""
    go, whole = asyncio.Event(), list[bytes]()
    limited = holding(go, whole)

    def body() -> Receive:
        return sender(part(bytes(900), last=True))

    async def main() -> None:
        held = [asyncio.ensure_future(ask(limited, body())) for _ in range(2)]
        while len(whole) < 2:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2,000 bytes of requests fit into memory"):
            await ask(limited, body())
        go.set()
        await asyncio.gather(*held)
        await ask(limited, body())

    asyncio.run(main())


def test_body_that_would_exceed_the_memory_is_refused_unread() -> None:
    go, whole = asyncio.Event(), list[bytes]()
    limited = holding(go, whole)

    async def main() -> None:
        held = [asyncio.ensure_future(ask(limited, sender(part(bytes(900), last=True)))) for _ in range(2)]
        while len(whole) < 2:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask(limited, sender(), (b"content-length", b"201"))
        small = asyncio.ensure_future(
            ask(limited, sender(part(bytes(200), last=True)), (b"content-length", b"200"))
        )
        go.set()
        await asyncio.gather(*held, small)

    asyncio.run(main())


def test_fetched_files_count_among_the_bodies() -> None:
    go, whole = asyncio.Event(), list[bytes]()
    limited = holding(go, whole, fetched=1_500)

    async def main() -> None:
        first = asyncio.ensure_future(ask(limited, sender(part(b"url", last=True))))
        while not whole:
            await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await ask(limited, sender(part(b"url", last=True)))
        go.set()
        await first
        await ask(limited, sender(part(b"url", last=True)))

    asyncio.run(main())


def test_crowded_connection_may_not_send_a_body() -> None:
    with pytest.raises(Overloaded, match="overloaded: 512 calls"):
        read(sender(part(b"GIF89a", last=True)), crowded=True)


def test_waiting_for_disconnect_has_no_limit() -> None:
    messages: list[Message] = [part(b"G", last=True), {"type": "http.disconnect"}]

    async def receive() -> Message:
        await asyncio.sleep(0 if len(messages) == 2 else 0.5)
        return messages.pop(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read_whole(receive)
        assert (await receive())["type"] == "http.disconnect"

    limited: Callable[..., Awaitable[None]] = BodyLimit(app, settings=RestSettings(body_s=0.25), window_s=0.1)

    asyncio.run(limited({"type": "http", "headers": [], "state": {}}, receive, no_answer))
    assert not messages
