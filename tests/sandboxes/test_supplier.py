import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from fastapi.testclient import TestClient

from sandboxes.purchases import OPENING_BALANCE, PIECE_COST
from sandboxes.supplier import create_supplier
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify

SECRET = b"s" * 32
NOW = datetime(2026, 1, 1, 8, tzinfo=UTC)
REQUEST = "order-1/1#north"


async def no_pause(seconds: float) -> None:
    pass


class Sandbox:
    """A supplier in this process, and what it calls back."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] = lambda request: httpx.Response(202)) -> None:
        self.called_back: list[httpx.Request] = []

        def record(request: httpx.Request) -> httpx.Response:
            self.called_back.append(request)
            return answer(request)

        callbacks = httpx.AsyncClient(transport=httpx.MockTransport(record))
        self.http = TestClient(create_supplier("north", SECRET, callbacks=callbacks, now=lambda: NOW, pause=no_pause))

    def buy(self, target: str = "", quantity: int = 2, secret: bytes = SECRET, **more: object) -> httpx.Response:
        wanted = {
            "request_id": REQUEST, "sku": "sku-1", "quantity": quantity, "target": target,
            "callback_url": "http://shop.invalid/callbacks/north",
        }  # fmt: skip
        body = json.dumps({**wanted, **more}).encode()
        return self.http.post("/purchases", content=body, headers=headers(body, secret))

    def look_up(self) -> httpx.Response:
        return self.http.get(f"/purchases/{REQUEST.replace('#', '%23')}", headers=headers(REQUEST.encode()))

    def account(self) -> dict:
        return self.http.get("/purchases").json()[REQUEST]


def headers(signed: bytes, secret: bytes = SECRET) -> dict[str, str]:
    stamp = int(NOW.timestamp())
    return {TIMESTAMP_HEADER: str(stamp), SIGNATURE_HEADER: sign(secret, stamp, signed)}


@pytest.mark.parametrize("target", ["", "ok:1", "slow:1", "late:1"])
def test_a_purchase_is_done_and_charged_once_however_often_it_comes(target: str) -> None:
    sandbox = Sandbox()
    first, second = sandbox.buy(target), sandbox.buy(target)

    assert first.json()["outcome"] == "done"
    assert first.json() == second.json() == sandbox.look_up().json()
    assert (sandbox.account()["arrived"], sandbox.account()["bought"]) == (2, 1)
    assert sandbox.http.get("/balance").json()["amount"] == OPENING_BALANCE - 2 * PIECE_COST


def test_a_request_id_is_for_one_purchase() -> None:
    sandbox = Sandbox()
    sandbox.buy()

    assert sandbox.buy(quantity=3).status_code == 409
    assert sandbox.account()["bought"] == 1


def test_a_failure_is_certain_and_free() -> None:
    sandbox = Sandbox()

    assert sandbox.buy("failing:1").json()["outcome"] == "failed"
    assert sandbox.http.get("/balance").json()["amount"] == OPENING_BALANCE


def test_what_is_down_takes_nothing() -> None:
    sandbox = Sandbox()

    assert sandbox.buy("down:1").status_code == 503
    assert sandbox.look_up().status_code == 404
    sandbox.http.put("/behaviour", json={"behaviour": "down"})
    assert (sandbox.buy().status_code, sandbox.look_up().status_code) == (503, 503)
    sandbox.http.put("/behaviour", json={"behaviour": "ok"})
    assert sandbox.buy().json()["outcome"] == "done"


@pytest.mark.parametrize(("target", "times"), [("callback:1", 1), ("twice:1", 2)])
def test_a_pending_purchase_calls_back_signed(target: str, times: int) -> None:
    sandbox = Sandbox()

    assert sandbox.buy(target).json()["outcome"] == "pending"
    assert len(sandbox.called_back) == times
    for call in sandbox.called_back:
        stamp, signature = int(call.headers[TIMESTAMP_HEADER]), call.headers[SIGNATURE_HEADER]
        assert verify(SECRET, stamp, call.content, signature, NOW)
        assert json.loads(call.content)["outcome"] == "done"
    assert (sandbox.account()["bought"], sandbox.account()["callbacks"]) == (1, ["HTTP 202"] * times)


def test_a_shop_that_does_not_answer_callbacks_is_noted() -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    sandbox = Sandbox(unreachable)
    sandbox.buy("callback:1")

    assert sandbox.account()["callbacks"] == ["ConnectError"]


def test_a_silent_purchase_is_found_by_looking() -> None:
    sandbox = Sandbox()
    sandbox.buy("silent:1")

    assert [sandbox.look_up().json()["outcome"] for _ in range(3)] == ["pending", "done", "done"]
    assert (sandbox.called_back, sandbox.account()["bought"]) == ([], 1)


def test_strangers_and_nonsense_are_turned_away() -> None:
    sandbox = Sandbox()

    assert sandbox.buy(secret=b"t" * 32).status_code == 401
    assert sandbox.buy(quantity=0).status_code == 422
    assert sandbox.http.get("/purchases/x", headers=headers(b"y")).status_code == 401
    assert sandbox.http.post("/purchases", content=b"{}").status_code == 422
    assert sandbox.http.get("/purchases").json() == {}
