"""The ledger's client against the sandbox channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from sandboxes.channel import create_channel
from services.ledger.adapters import Outside
from services.ledger.adapters.channel import Channel, ChannelRefused, ChannelUnavailable
from services.ledger.adapters.effects import ASKED_TIMES, EFFECTS, NotYetPaid
from shared.contracts import Money
from shared.contracts.ledger import RecordCallback, RecordPaymentOpening, RecordReturn
from shared.hosting.ports import Ports
from tests.ledger.builders import NOW, yuan

SECRET = b"a channel's secret of 32 bytes.."
PORTS = Ports(now=lambda: NOW)
PAYLOAD = {"payment_id": "o-1/x#2", "channel": "wechat", "amount": {"amount": 500, "currency": "CNY"}}
RETURN = {**PAYLOAD, "return_id": "hold#rest", "amount": {"amount": 200, "currency": "CNY"}}


def reaching(http: httpx.Client, secret: bytes = SECRET) -> Outside:
    return Outside({"wechat": Channel(http, secret, PORTS, "https://shop.example")}, 300)


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> Outside:
    return reaching(httpx.Client(base_url="http://channel", transport=httpx.MockTransport(answer)))


class Sandbox:
    def __init__(self) -> None:
        self.http = TestClient(create_channel("wechat", SECRET, "http://shop.invalid", PORTS))
        self.outside = reaching(self.http)

    def pay(self) -> None:
        self.http.post("/payments/o-1%2Fx%232/pay", json={"lose_callback": True})


def run(effect: str, payload: dict[str, Any], outside: Outside, attempt: int = 1) -> Any:
    return EFFECTS[effect].run(payload, attempt, outside)


def test_opening_twice_gives_the_same_payment():
    sandbox = Sandbox()
    first = run("open_payment", PAYLOAD, sandbox.outside)
    assert isinstance(first, RecordPaymentOpening)
    assert first.opened
    assert first.pay_url.endswith("/payments/o-1%2Fx%232/pay")
    assert run("open_payment", PAYLOAD, sandbox.outside, attempt=2) == first


def test_a_channel_that_will_not_open_it_says_so():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.outside)
    other = run("open_payment", {**PAYLOAD, "amount": {"amount": 1, "currency": "CNY"}}, sandbox.outside)
    assert not other.opened
    assert "409" in other.reason
    unknown = run("open_payment", {**PAYLOAD, "channel": "paypal"}, sandbox.outside)
    assert "paypal" in unknown.reason


def test_a_wrong_secret_is_tried_again_and_not_told():
    outside = reaching(Sandbox().http, secret=b"wrong secret")
    with pytest.raises(ChannelUnavailable, match="401"):
        run("open_payment", PAYLOAD, outside)
    assert "wrong secret" not in repr(outside)


def test_asking_finds_a_payment_whose_callback_was_lost():
    sandbox = Sandbox()
    opened = run("open_payment", PAYLOAD, sandbox.outside)
    with pytest.raises(NotYetPaid):
        run("ask_payment", PAYLOAD, sandbox.outside)
    sandbox.pay()
    assert run("ask_payment", PAYLOAD, sandbox.outside, attempt=2) == RecordCallback(
        payment_id="o-1/x#2",
        channel="wechat",
        callback_id="asked-2",
        channel_ref=opened.channel_ref,
        amount=yuan(500),
        status="paid",
        authentic=True,
    )


def test_asking_ends_without_money():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.outside)
    assert run("ask_payment", PAYLOAD, sandbox.outside, attempt=ASKED_TIMES).status == "failed"
    assert EFFECTS["ask_payment"].gave_up(PAYLOAD, "no answer").model_dump()["status"] == "failed"


def test_a_return_pays_once_however_often_it_is_tried():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.outside)
    sandbox.pay()
    done = RecordReturn(payment_id="o-1/x#2", return_id="hold#rest", returned=True)
    for attempt in (1, 2, 3):
        assert run("return_payment", RETURN, sandbox.outside, attempt) == done
    (refund,) = sandbox.outside.channels["wechat"].refunds("o-1/x#2")
    assert (refund.return_id, refund.money) == ("hold#rest", yuan(200))


def test_a_second_try_looks_first():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={"refunds": [{"return_id": "hold#rest", "amount": 200, "currency": "CNY"}]})

    assert run("return_payment", RETURN, answering(answer), attempt=2).returned
    assert asked == ["GET"]


def test_a_channel_that_will_not_pay_back_says_so():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.outside)
    no = run("return_payment", RETURN, sandbox.outside)
    assert not no.returned
    assert "409" in no.reason


def test_a_return_without_an_answer_warns_against_paying_twice():
    closing = EFFECTS["return_payment"].gave_up(RETURN, "timed out")
    assert isinstance(closing, RecordReturn)
    assert not closing.returned
    assert "look at the channel" in closing.reason


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 503])
def test_what_may_pass_is_no_refusal(status: int):
    with pytest.raises(ChannelUnavailable):
        answering(lambda _: httpx.Response(status)).channels["wechat"].status("p-1")


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_carries_its_status(status: int):
    with pytest.raises(ChannelRefused) as refused:
        answering(lambda _: httpx.Response(status)).channels["wechat"].refund("p-1", "r-1", Money(amount=1))
    assert refused.value.status == status


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b'{"channel_ref": "", "pay_url": ""}'])
def test_an_unreadable_answer_is_no_answer(content: bytes):
    with pytest.raises(ChannelUnavailable):
        answering(lambda _: httpx.Response(200, content=content)).channels["wechat"].open("p-1", yuan(5))


def test_a_broken_line_is_no_answer():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ChannelUnavailable, match="ConnectError"):
        answering(broken).channels["wechat"].status("p-1")
