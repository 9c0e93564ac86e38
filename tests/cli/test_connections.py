"""Connections that would starve others are ended: the protocol over a transport that remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from cli.connections import (
    BODY_SECONDS,
    HEAD_BYTES,
    HEAD_SECONDS,
    LINGER_SECONDS,
    SLOWEST,
    UNREAD_SECONDS,
    Connection,
    Limits,
)

HEAD = b"POST / HTTP/1.1\r\nHost: shop\r\n"
Opened = Callable[..., "Line"]


class Transport(asyncio.Transport):
    """Remembers what was written to a caller at an address."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 4711), "sockname": ("192.0.2.9", 80)})
        self.written, self.ended, self.aborted, self.paused = b"", False, False, False
        self.unread, self.closing = 0, False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def write_eof(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted or self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Line:
    """A caller's end of a connection."""

    def __init__(self, limits: Limits, config: uvicorn.Config, address: str) -> None:
        self.transport = Transport(address)
        self.connection = Connection(config, ServerState(), {}, limits=limits)
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)

    async def answered(self) -> int:
        """The status of the answer, once what was asked for has been done."""
        while tasks := self.connection.tasks:
            await asyncio.gather(*tasks)
        return self.status

    @property
    def status(self) -> int:
        return int(self.transport.written.split(b" ", 2)[1]) if self.transport.written else 0


async def app(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(size).encode()})


class ManualClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def with_lines(
    test: Callable[[Opened, ManualClock], Any], *, per_address: int = 0, proxies: str = "", in_all: int = 0
) -> None:
    async def run() -> None:
        clock = ManualClock()
        limits = Limits(per_address, proxies, in_all, clock)
        config = uvicorn.Config(app, log_config=None, access_log=False)
        await test(lambda address="192.0.2.1": Line(limits, config, address), clock)

    asyncio.run(run())


def pieces(whole: bytes, size: int) -> Iterator[bytes]:
    return (whole[start : start + size] for start in range(0, len(whole), size))


HOSTILE = {
    "one header": HEAD + b"X: " + b"x" * 10 * HEAD_BYTES,
    "a header's name": HEAD + b"x" * 10 * HEAD_BYTES,
    "many headers": HEAD + b"X: 1\r\n" * HEAD_BYTES,
    "the path": b"GET /" + b"x" * 10 * HEAD_BYTES,
    "a whole head": HEAD + b"X: " + b"x" * HEAD_BYTES + b"\r\n\r\n",
    "no length": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" + b";x" * HEAD_BYTES,
}


@pytest.mark.parametrize("size", [1_000, 250_000])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_head_too_large_is_refused_as_soon_as_it_is(hostile: str, size: int) -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line, sent = opened(), 0
        for piece in pieces(HOSTILE[hostile], size):
            line.send(piece)
            sent += len(piece)
            if line.transport.ended:
                break
        assert line.transport.ended
        assert sent <= HEAD_BYTES + size + len(HEAD) + 100
        assert line.status in (400, 431) if hostile != "no length" else True
        for piece in pieces(b"x" * 1_000_000, 100_000):
            line.send(piece)  # is dropped
        clock.now += LINGER_SECONDS + 1
        line.connection.sweep(clock.now)
        assert line.transport.aborted or hostile == "no length"

    with_lines(test)


def test_trailers_are_bounded_as_well() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line = opened()
        line.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ")
        for piece in pieces(b"x" * 2 * HEAD_BYTES, 1_000):
            if not line.transport.ended:
                line.send(piece)
        assert line.transport.ended

    with_lines(test)


def test_what_is_within_the_limits_is_served() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line = opened()
        body = b"x" * 3_000_000
        line.send(HEAD + b"X: " + b"x" * (HEAD_BYTES - 200) + b"\r\nContent-Length: %d\r\n\r\n" % len(body))
        for piece in pieces(body, 60_000):
            line.send(piece)
            await asyncio.sleep(0)
        assert await line.answered() == 200
        line.transport.written = b""
        line.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(1_000):
            line.send(b"400\r\n" + b"x" * 1_024 + b"\r\n")
            await asyncio.sleep(0)
        line.send(b"0\r\n\r\n")
        assert await line.answered() == 200
        assert not line.transport.ended
        line.transport.written = b""
        line.send((HEAD + b"Content-Length: 1\r\n\r\nx") * 2)
        assert await line.answered() == 200

    with_lines(test)


def test_a_head_that_does_not_come_to_its_end_is_given_up() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        silent, slow = opened(), opened()
        for _ in range(int(HEAD_SECONDS)):
            clock.now += 1
            slow.send(b"G" if clock.now == 1 else b"E" if clock.now == 2 else b"")
            for line in (silent, slow):
                line.connection.sweep(clock.now)
        assert [one.transport.ended for one in (silent, slow)] == [False, False]
        clock.now += 2
        for line in (silent, slow):
            line.connection.sweep(clock.now)
        assert silent.status == slow.status == 408

    with_lines(test)


def test_a_body_may_take_as_long_as_it_keeps_coming() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        slow, steady = opened(), opened()
        for line in (slow, steady):
            line.send(HEAD + b"Content-Length: 9000000\r\n\r\n")
        for _ in range(int(2 * BODY_SECONDS)):
            clock.now += 1
            slow.send(b"x") if not slow.transport.ended else None
            steady.send(b"x" * 20_000)
            await asyncio.sleep(0)
            for line in (slow, steady):
                line.connection.sweep(clock.now)
        assert slow.transport.ended
        assert not steady.transport.ended

    with_lines(test)


def test_a_connection_that_rests_between_requests_is_not_slow() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line = opened()
        line.send(HEAD + b"Content-Length: 0\r\n\r\n")
        assert await line.answered() == 200
        clock.now += 60
        line.connection.sweep(clock.now)
        assert not line.transport.ended
        line.send(b"\r\n")
        clock.now += HEAD_SECONDS + 1
        line.connection.sweep(clock.now)
        assert line.transport.ended

    with_lines(test)


def unread(line: Line, clock: ManualClock, left: Iterable[int]) -> int:
    """How many seconds a connection lives of whose answer so much is left each second."""
    seconds = 0
    for seconds, line.transport.unread in enumerate(left):  # noqa: B007 - both are told
        line.connection.sweep(clock.now)
        if line.transport.aborted:
            break
        clock.now += 1
    return seconds


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("size", [10_000, 65_000, 5_000_000])
@pytest.mark.parametrize("rate", [0, 100, SLOWEST // 20])
def test_an_answer_that_is_read_too_slowly_is_given_up(size: int, rate: int, is_closed: bool) -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line = opened()
        line.send(HEAD + b"Content-Length: 0\r\n\r\n")
        assert await line.answered() == 200
        line.transport.closing = is_closed  # as when the next request has not come in time

        lived = unread(line, clock, (max(size - rate * second, 1) for second in range(1_000)))

        assert line.transport.aborted
        assert UNREAD_SECONDS <= lived <= 1.1 * UNREAD_SECONDS

    with_lines(test)


@pytest.mark.parametrize("rate", [SLOWEST + 1, 10 * SLOWEST])
def test_an_answer_may_take_as_long_as_it_is_read(rate: int) -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        line = opened()
        line.send(HEAD + b"Content-Length: 0\r\n\r\n")
        assert await line.answered() == 200

        unread(line, clock, (1_000 * rate - rate * second for second in range(1_000)))
        unread(line, clock, [0, *[60_000] * int(UNREAD_SECONDS), 0, *[60_000] * int(UNREAD_SECONDS), 0])
        for _ in range(10):
            unread(line, clock, [64_000] * int(UNREAD_SECONDS))  # never seen empty, yet read in between
            line.connection.resume_writing()

        assert not line.transport.ended

    with_lines(test)


def test_an_address_has_so_many_connections_and_a_proxy_any_number() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        first, second = opened("2001:db8::1"), opened("2001:db8::2")
        third, elsewhere = opened("2001:db8::3"), opened("2001:db8:1::3")
        assert [one.status for one in (first, second, third, elsewhere)] == [0, 0, 429, 0]
        assert [opened("10.0.0.7").status for _ in range(5)] == [0] * 5
        for one in (first, third):
            one.connection.connection_lost(None)
        assert opened("2001:db8::4").status == 0
        assert opened("2001:db8::5").status == 429

    with_lines(test, per_address=2, proxies="10.0.0.0/8")


def test_of_too_many_connections_those_go_that_have_said_nothing_the_longest() -> None:
    async def test(opened: Opened, clock: ManualClock) -> None:
        served, first, second = (opened(f"192.0.2.{number}") for number in range(1, 4))
        served.send(HEAD + b"Content-Length: 0\r\n\r\n")
        assert not first.transport.aborted

        third = opened("192.0.2.4")

        assert first.transport.aborted
        assert not any(line.transport.aborted for line in (served, second, third))

    with_lines(test, in_all=3)
