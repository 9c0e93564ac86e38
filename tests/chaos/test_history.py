from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable

import httpx

from tests.chaos.history import History, Request

Answering = Callable[[httpx.Request], httpx.Response]


def asked(*answering: httpx.Response | Exception, pauses: tuple[float, ...] = ()) -> tuple[Request, list[str], str]:
    """A request that gets these answers, one after the other; the keys that it was sent under; what was written."""
    answers, keys, file = list(answering), list[str](), io.StringIO()

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    async def ask() -> Request:
        async with httpx.AsyncClient(base_url="http://shop", transport=httpx.MockTransport(answer)) as http:
            request = Request("place", "somebody", http, "/v1/orders", {}, "key")
            history = History(file)
            await history.ask(request, pauses)
            assert history.unknown() == ([request] if request.outcome == "unknown" else [])
            return request

    return asyncio.run(ask()), keys, file.getvalue()


def test_no_answer_and_an_error_of_theirs_leave_the_outcome_unknown() -> None:
    lost, _, _ = asked(httpx.ReadTimeout("too late"))
    erred, _, _ = asked(httpx.Response(504, json={"code": "outcome-unknown"}))

    assert lost.outcome == erred.outcome == "unknown"


def test_the_unknown_is_asked_for_under_the_same_key() -> None:
    request, keys, written = asked(
        httpx.ReadTimeout("too late"), httpx.Response(200, json={"order_id": "o-1"}), pauses=(0,)
    )

    assert (request.outcome, request.last.answer) == ("ok", "o-1")
    assert keys == ["key", "key"]
    assert [json.loads(line)["outcome"] for line in written.splitlines()] == ["unknown", "ok"]


def test_a_no_is_known_and_not_asked_for_again() -> None:
    request, keys, _ = asked(httpx.Response(409, json={"code": "too-late"}), pauses=(0, 0))

    assert (request.outcome, request.last.code) == ("failed", "too-late")
    assert len(keys) == 1
