"""A subscriber whose events are in no log any more says so, instead of taking new ones for known ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kameng_subscriber import Event, Feed, LogLost, MemoryPlace, Misconfigured, Subscriber
from tests.subscriber.builders import SOURCE, Logged, Running


@contextmanager
def gateway(head: int, *, tells: bool = True) -> Iterator[str]:
    """A feed of logs that end at `head`, as a gateway answers; one of the version before does not tell `beyond`."""

    class Answering(BaseHTTPRequestHandler):
        def _say(self, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self._say({"token": "t"})

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            after, limit = int(asked["after"][0]), int(asked["limit"][0])
            items = [{"sequence": str(after + number)} for number in range(1, min(limit, max(0, head - after)) + 1)]
            beyond = {"beyond": asked["source"] if after > head else []} if tells else {}
            self._say({"items": items, "next": str(after + len(items)), **beyond})

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_end_of_a_log_is_found_beyond_it_and_a_lost_position_is_reported() -> None:
    with gateway(700) as url:
        feed = Feed(url, "subscriber", "password")
        assert (feed.end("order", 0), feed.end("order", 10_000)) == (700, 10_000)
        for held in (0, 1, 699, 700):
            feed.check("order", held)
        with pytest.raises(LogLost, match="ends before event 701"):
            feed.check("order", 701)
    with gateway(700, tells=False) as url:
        Feed(url, "subscriber", "password").check("order", 701)
    assert issubclass(LogLost, Misconfigured)


def test_a_place_beyond_its_log_ends_the_subscriber_before_it_handles_anything() -> None:
    place, handled, feed = MemoryPlace(), list[Event](), Logged(30)
    place.passed(SOURCE, 31)

    lost = Running(Subscriber(handled.append, feed=feed, place=place, poll_seconds=0.01))
    lost.stop()

    assert isinstance(lost.error, LogLost)
    assert handled == []


def test_a_place_at_its_logs_end_goes_on() -> None:
    place, feed = MemoryPlace(), Logged(30)
    place.passed(SOURCE, 30)
    subscriber = Subscriber(lambda event: subscriber.stop(), feed=feed, place=place, poll_seconds=0.01)
    feed.grow(1)

    subscriber.run(signals=False)

    assert place.through() == {SOURCE: 31}


def test_a_log_that_is_set_back_while_it_is_read_is_noticed() -> None:
    place, feed, handled = MemoryPlace(), Logged(30), list[int]()

    def handle(event: Event) -> None:
        handled.append(event.sequence)
        if event.sequence == 30:
            del feed.log[20:]

    with pytest.raises(LogLost):
        Subscriber(handle, feed=feed, place=place, poll_seconds=0.01).run(signals=False)

    assert handled == [*range(1, 31)]
