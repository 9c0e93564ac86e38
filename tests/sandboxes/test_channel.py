"""The sandbox payment channel keeps the protocol, and breaks it where it is asked to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from sandboxes.channel import create_channel
from shared.runtime.clock import Clock
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = b"a channel's secret of 32 bytes.."
NEW = {"payment_id": "o-1/a#1", "amount": 500, "currency": "CNY", "return_url": "https://shop.example"}
PATH = "/payments/o-1%2Fa%231"


class Sandbox:
    """A channel named wechat, what it calls back, and how long it says it waits."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(200)) -> None:
        self.callbacks: list[httpx.Request] = []
        self.waits: list[float] = []
        self._answer = answer
        app = create_channel(
            "wechat",
            SECRET,
            "https://shop.example/",
            Clock(now=lambda: NOW),
            httpx.MockTransport(self._take),
            self._wait,
        )
        self.http = TestClient(app)

    def _take(self, request: httpx.Request) -> httpx.Response:
        self.callbacks.append(request)
        return self._answer(request)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **wrong: Any) -> httpx.Response:
        """A request signed as a merchant signs, but for what is `wrong`."""
        content = b"" if body is None else json.dumps(body).encode()
        timestamp = int(wrong.get("at", NOW).timestamp())
        signed = f"{method} {wrong.get('signed_path', path)}\n".encode() + wrong.get("signed_body", content)
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP_HEADER: str(timestamp),
            SIGNATURE_HEADER: sign(wrong.get("secret", SECRET), timestamp, signed),
        }
        return self.http.request(method, path, content=content, headers=headers)

    def paid(self, **faults: Any) -> list[dict[str, Any]]:
        """Open a payment and pay it; gives the bodies of the callbacks."""
        assert self.call("POST", "/payments", NEW).status_code == 200
        assert self.http.post(f"{PATH}/pay", json=faults).status_code == 200
        return [json.loads(request.content) for request in self.callbacks]


def test_a_payment_is_opened_once():
    sandbox = Sandbox()
    first = sandbox.call("POST", "/payments", NEW)
    assert first.json()["pay_url"] == f"http://testserver{PATH}/pay"
    assert sandbox.call("POST", "/payments", NEW).json() == first.json()
    assert sandbox.call("POST", "/payments", {**NEW, "amount": 501}).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": b"another secret"},
        {"at": NOW - timedelta(seconds=301)},
        {"signed_path": "/payments/other"},
        {"signed_body": b"{}"},
    ],
)
def test_a_request_with_a_bad_signature_does_nothing(wrong: dict[str, Any]):
    sandbox = Sandbox()
    assert sandbox.call("POST", "/payments", NEW, **wrong).status_code == 401
    assert sandbox.call("GET", PATH).status_code == 404


def test_an_unsigned_request_does_nothing():
    assert Sandbox().http.post("/payments", json=NEW).status_code == 401


@pytest.mark.parametrize("bad", [{"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"currency": "yuan"}])
def test_a_malformed_payment_is_refused(bad: dict[str, Any]):
    assert Sandbox().call("POST", "/payments", {**NEW, **bad}).status_code == 422


def test_paying_sends_one_signed_callback():
    sandbox = Sandbox()
    (body,) = sandbox.paid()
    (request,) = sandbox.callbacks
    assert str(request.url) == "https://shop.example/v1/payments/callbacks/wechat"
    timestamp, signature = int(request.headers[TIMESTAMP_HEADER]), request.headers[SIGNATURE_HEADER]
    assert verify(SECRET, timestamp, request.content, signature, NOW)
    assert (body["payment_id"], body["amount"], body["currency"], body["status"]) == ("o-1/a#1", 500, "CNY", "paid")
    assert sandbox.call("GET", PATH).json() == {
        "amount": 500,
        "currency": "CNY",
        "channel_ref": body["channel_ref"],
        "status": "paid",
    }


def test_a_buyer_can_pay_on_a_page():
    sandbox = Sandbox()
    page = sandbox.call("POST", "/payments", {**NEW, "payment_id": "<b>"}).json()["pay_url"]
    shown = sandbox.http.get(page).text
    assert "&lt;b&gt;: 5.00 CNY" in shown
    assert "<b>" not in shown
    assert sandbox.http.post(page, data={}).json()["status"] == "paid"
    assert len(sandbox.callbacks) == 1


@pytest.mark.parametrize(
    ("faults", "field", "value"),
    [({"amount": 1}, "amount", 1), ({"payment_id": "o-2"}, "payment_id", "o-2")],
)
def test_callbacks_lie_on_request(faults: dict[str, Any], field: str, value: object):
    sandbox = Sandbox()
    (body,) = sandbox.paid(**faults)
    assert body[field] == value
    assert sandbox.call("GET", PATH).json()["amount"] == 500


def test_callbacks_are_repeated_late_badly_signed_or_lost_on_request():
    repeated = Sandbox().paid(callbacks=5)
    assert len(repeated) == 5
    assert len({body["callback_id"] for body in repeated}) == 1
    late = Sandbox()
    late.paid(delay_seconds=40)
    assert late.waits == [40]
    forged = Sandbox()
    forged.paid(bad_signature=True)
    (request,) = forged.callbacks
    timestamp, signature = int(request.headers[TIMESTAMP_HEADER]), request.headers[SIGNATURE_HEADER]
    assert not verify(SECRET, timestamp, request.content, signature, NOW)
    assert Sandbox().paid(lose_callback=True) == []


def test_a_callback_nobody_answers_is_tried_again():
    answers = iter([httpx.Response(503), httpx.Response(503), httpx.Response(200)])
    assert len(Sandbox(lambda _: next(answers)).paid()) == 3
    dead = Sandbox(lambda _: httpx.Response(500))
    assert len(dead.paid()) == 5


def test_a_refund_pays_once_and_never_more_than_was_paid():
    sandbox = Sandbox()
    refund = {"return_id": "r-1", "amount": 300, "currency": "CNY"}
    sandbox.call("POST", "/payments", NEW)
    assert sandbox.call("POST", f"{PATH}/refunds", refund).status_code == 409
    sandbox.paid()
    for _ in range(2):
        assert sandbox.call("POST", f"{PATH}/refunds", refund).json() == refund
    assert sandbox.call("POST", f"{PATH}/refunds", {**refund, "amount": 200}).status_code == 409
    assert sandbox.call("POST", f"{PATH}/refunds", {**refund, "return_id": "r-2", "amount": 201}).status_code == 409
    assert sandbox.call("GET", f"{PATH}/refunds").json() == {"refunds": [refund]}


def opened(manner: str = "") -> Sandbox:
    """A sandbox with an open payment, which closes in this manner."""
    sandbox = Sandbox()
    assert sandbox.call("POST", "/payments", NEW).status_code == 200
    if manner:
        assert sandbox.http.put(f"{PATH}/closing", json={"manner": manner}).status_code == 200
    return sandbox


def test_a_closed_payment_takes_no_money_and_its_page_says_so():
    sandbox = opened()
    assert "<button>" in sandbox.http.get(f"{PATH}/pay").text
    for _ in range(2):
        assert sandbox.call("POST", f"{PATH}/close", {}).json()["status"] == "failed"
    assert sandbox.http.post(f"{PATH}/pay").status_code == 409
    page = sandbox.http.get(f"{PATH}/pay").text
    assert "closed" in page
    assert "<button>" not in page
    assert sandbox.callbacks == []


def test_closing_is_for_the_merchant_alone():
    sandbox = opened()
    assert sandbox.http.post(f"{PATH}/close", json={}).status_code == 401
    assert sandbox.call("POST", "/payments/none/close", {}).status_code == 404
    assert sandbox.http.put("/payments/none/closing", json={"manner": "pay"}).status_code == 404


def test_a_payment_that_is_paid_is_not_closed():
    sandbox = opened()
    sandbox.http.post(f"{PATH}/pay")
    assert sandbox.call("POST", f"{PATH}/close", {}).status_code == 409
    assert sandbox.call("GET", PATH).json()["status"] == "paid"


@pytest.mark.parametrize(
    ("manner", "status", "then", "callbacks"),
    [("refuse", 409, "pending", 0), ("fail", 500, "pending", 0), ("pay", 409, "paid", 1), ("feign", 200, "failed", 0)],
)
def test_closing_goes_wrong_on_request(manner: str, status: int, then: str, callbacks: int):
    sandbox = opened(manner)
    assert sandbox.call("POST", f"{PATH}/close", {}).status_code == status
    assert sandbox.call("GET", PATH).json()["status"] == then
    assert len(sandbox.callbacks) == callbacks
    assert sandbox.http.post(f"{PATH}/pay").json()["status"] == "paid"
