from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer

import pytest

from tests.chaos.proxy import BOTH, CLEAR, Proxy, Weather
from tests.waiting import PATIENCE

WIRE, MOMENT_SECONDS = "wire", 0.2


class Echo(BaseRequestHandler):
    """Notes what it hears and says it back."""

    heard: bytearray

    def handle(self) -> None:
        while data := self.request.recv(100):
            self.heard.extend(data)
            self.request.sendall(data)


@pytest.fixture
def heard() -> bytearray:
    return bytearray()


@pytest.fixture
def server(heard: bytearray) -> Iterator[int]:
    with ThreadingTCPServer(("127.0.0.1", 0), type("OurEcho", (Echo,), {"heard": heard})) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture
def port(proxy: Proxy, server: int) -> int:
    return proxy.wire(WIRE, "127.0.0.1", server)


@pytest.fixture
def near(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as near:
        assert said(near, b"hello")
        yield near


def said(near: socket.socket, text: bytes) -> bool:
    near.sendall(text)
    return near.recv(100) == text


def is_silent(near: socket.socket) -> bool:
    near.settimeout(MOMENT_SECONDS)
    try:
        near.recv(1)
    except TimeoutError:
        return True
    finally:
        near.settimeout(PATIENCE)
    return False


def has_ended(near: socket.socket) -> bool:
    try:
        return near.recv(1) == b""
    except ConnectionResetError:
        return True


def test_what_is_held_comes_later(proxy: Proxy, near: socket.socket) -> None:
    proxy.change([WIRE], Weather(held=True))
    near.sendall(b"wait")

    assert is_silent(near)
    proxy.change([WIRE], CLEAR)
    assert near.recv(100) == b"wait"


def test_what_is_swallowed_never_comes_and_the_connection_ends(
    proxy: Proxy, near: socket.socket, heard: bytearray
) -> None:
    proxy.change([WIRE], Weather(swallowed=BOTH))
    near.sendall(b"lost")

    assert is_silent(near)
    proxy.change([WIRE], CLEAR)
    assert has_ended(near)
    assert b"lost" not in heard


def test_answers_may_be_swallowed_alone(proxy: Proxy, near: socket.socket, heard: bytearray) -> None:
    proxy.change([WIRE], Weather(swallowed=frozenset(("answers",))))
    near.sendall(b"done")

    assert is_silent(near)
    assert b"done" in heard
    proxy.change([WIRE], CLEAR)
    assert has_ended(near)


def test_a_connection_that_lost_nothing_outlives_the_swallowing(proxy: Proxy, near: socket.socket) -> None:
    proxy.change([WIRE], Weather(swallowed=BOTH))
    proxy.change([WIRE], CLEAR)

    assert said(near, b"still here")


def test_a_cut_breaks_connections_and_refuses_new_ones(proxy: Proxy, near: socket.socket, port: int) -> None:
    proxy.change([WIRE], Weather(refused=True))

    assert proxy.cut([WIRE]) == 1
    assert has_ended(near)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as refused:
        assert has_ended(refused)
    proxy.change([WIRE], CLEAR)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as again:
        assert said(again, b"again")


def test_bytes_wait_for_delay_and_rate(proxy: Proxy, near: socket.socket) -> None:
    began = time.monotonic()
    proxy.change([WIRE], Weather(delay=0.1, rate=100))

    assert said(near, b"0123456789")
    assert time.monotonic() - began >= 0.4
