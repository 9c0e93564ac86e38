"""The whole service in a host, with a payment channel behind a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from sandboxes.channel import create_channel
from sandboxes.running import run_server
from services.ledger.service import SERVICE
from shared.contracts.ledger import (
    OTHER_REFERENCE,
    UNREAD_ANSWER,
    CaptureHold,
    FundsHeld,
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentReceived,
    PaymentReturned,
    PaymentUnmatched,
    RecordCallback,
    RequestPayment,
    RetryReturn,
    ReturnFailed,
    VoidHold,
)
from shared.runtime.clock import Clock
from shared.runtime.settings import ChannelSettings, Settings
from shared.security.secrets import Secrets
from tests.amounts import minor
from tests.ledger.builders import a_callback, a_request, funding, hold
from tests.platform.harness import Harness
from tests.waiting import PATIENCE


@dataclass
class Shop:
    """A ledger of its own, and the channel it is paid through."""

    harness: Harness

    def pay(self, payment_id: str) -> None:
        """The buyer pays; the callback is lost."""
        opened = self.harness.events("ledger", PaymentOpened)
        (url,) = [e.pay_url for e in opened if isinstance(e, PaymentOpened) and e.payment_id == payment_id]
        httpx.post(url, json={"lose_callback": True}, trust_env=False).raise_for_status()

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.harness.events("ledger")]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    secret = Secrets(tmp_path / "secrets").get("channel-wechat")
    harnesses: list[Harness] = []
    app = create_channel("wechat", secret, "http://shop.invalid", Clock(now=lambda: harnesses[-1].now))
    with run_server(app, "channel") as url:
        settings = Settings(var=tmp_path, channels={"wechat": ChannelSettings(url=url, timeout_seconds=PATIENCE)})
        harnesses.append(Harness(tmp_path, [SERVICE], settings=settings))
        yield Shop(harnesses[-1])


def order_payment(channel: str = "wechat") -> RequestPayment:
    return a_request(payment_id="o-1", account="order:o-1", order_id="o-1", channel=channel)


def test_a_lost_callback_is_found_and_the_order_is_paid(shop: Shop):
    shop.harness.send("ledger", order_payment())
    shop.pay("o-1")
    assert shop.names() == ["PaymentRequested", "PaymentOpened"]
    shop.harness.advance(5)
    assert shop.names()[2:] == ["PaymentReceived", "FundsHeld"]
    shop.harness.advance(600)
    assert len(shop.names()) == 4


def test_it_asks_again_while_nobody_has_paid(shop: Shop):
    shop.harness.send("ledger", a_request())
    shop.harness.advance(5)
    shop.pay("p-1")
    shop.harness.advance(4)
    assert shop.harness.events("ledger", PaymentReceived) == []
    shop.harness.advance(1)
    assert len(shop.harness.events("ledger", PaymentReceived)) == 1


def test_voided_money_goes_back_through_the_channel(shop: Shop):
    shop.harness.send("ledger", order_payment())
    shop.pay("o-1")
    shop.harness.advance(5)
    shop.harness.send("ledger", VoidHold(order_id="o-1", reason="short-stock"))
    assert shop.names()[4:] == ["HoldVoided", "ReturnRequested", "PaymentReturned"]
    (returned,) = shop.harness.events("ledger", PaymentReturned)
    assert isinstance(returned, PaymentReturned)
    assert returned.amount == minor(500)
    assert not shop.harness.parked()


def test_a_callback_answers_its_outcome(shop: Shop):
    shop.harness.send("ledger", a_request())
    (opened,) = shop.harness.events("ledger", PaymentOpened)
    assert isinstance(opened, PaymentOpened)
    callback = RecordCallback(
        payment_id="p-1",
        channel="wechat",
        callback_id="cb-1",
        channel_ref=opened.channel_ref,
        amount=minor(500),
        status="paid",
        authentic=True,
    )
    assert shop.harness.send("ledger", callback, id_="1").answer == {"outcome": "received"}
    assert shop.harness.send("ledger", callback, id_="2").answer == {"outcome": "already-received"}
    shop.harness.advance(3600)
    assert len(shop.harness.events("ledger", PaymentReceived)) == 1


def test_an_order_with_an_unknown_channel_fails_to_open(shop: Shop):
    shop.harness.send("ledger", order_payment("paypal"))
    (failed,) = shop.harness.events("ledger", PaymentOpeningFailed)
    assert isinstance(failed, PaymentOpeningFailed)
    assert "paypal" in failed.reason


def test_a_refusal_reaches_the_person_who_asked(shop: Shop):
    reply = shop.harness.send("ledger", a_request(channel="paypal"))
    assert (reply.outcome, reply.code, reply.status) == ("refused", "unknown-channel", 422)
    assert shop.names() == []


def test_a_restart_keeps_the_books(shop: Shop):
    shop.harness.send("ledger", funding("wallet:alice", 1000))
    shop.harness.send("ledger", hold("o-1", "wallet:alice", 600))
    again = Harness(shop.harness.folder, [SERVICE], settings=shop.harness.settings)
    again.send("ledger", hold("o-2", "wallet:alice", 600))
    again.send("ledger", CaptureHold(order_id="o-1", amount=minor(600), agent="bob"))
    assert len(again.events("ledger", FundsHeld)) == 1
    assert shop.names()[-2:] == ["HoldRefused", "FundsCaptured"]
    assert not again.parked()


def test_what_a_channel_says_and_nobody_understands_becomes_an_item(tmp_path: Path) -> None:
    """Its opening is answered late and under another reference, its look-ups in words that we do not know."""
    app, is_up = FastAPI(), list[bool]()

    @app.post("/payments")
    def opened() -> dict[str, str]:
        if not is_up:
            raise HTTPException(503)
        return {"channel_ref": "ref-1", "pay_url": "https://pay.example/1"}

    @app.get("/payments/{payment_id}")
    def looked_up(payment_id: str) -> dict[str, object]:
        return {"channel_ref": "ref-1", "status": "refunded", "amount": 500, "currency": "CNY"}

    with run_server(app, "channel") as url:
        settings = Settings(var=tmp_path, channels={"wechat": ChannelSettings(url=url, timeout_seconds=PATIENCE)})
        harness = Harness(tmp_path, [SERVICE], settings=settings)
        harness.send("ledger", a_request())
        harness.send("ledger", a_request(payment_id="p-2"))
        harness.send("ledger", a_callback(channel_ref="ref-of-another"))
        is_up.append(True)
        harness.advance(5)
        harness.advance(3 * 3600)

    items = [event for event in harness.events("ledger", PaymentUnmatched) if isinstance(event, PaymentUnmatched)]
    assert {(item.payment_id, item.reason) for item in items} == {("p-1", OTHER_REFERENCE), ("p-2", UNREAD_ANSWER)}
    assert not harness.parked()


def test_a_refund_of_another_amount_is_in_the_books(tmp_path: Path) -> None:
    app = FastAPI()
    refund = {"return_id": "hold#rest", "amount": 499, "currency": "CNY"}

    @app.post("/payments")
    def opened() -> dict[str, str]:
        return {"channel_ref": "ref-1", "pay_url": "https://pay.example/1"}

    @app.post("/payments/{payment_id}/refunds")
    def refunded(payment_id: str) -> dict[str, object]:
        return refund

    @app.get("/payments/{payment_id}/refunds")
    def refunds(payment_id: str) -> dict[str, object]:
        return {"refunds": [refund]}

    with run_server(app, "channel") as url:
        settings = Settings(var=tmp_path, channels={"wechat": ChannelSettings(url=url, timeout_seconds=PATIENCE)})
        harness = Harness(tmp_path, [SERVICE], settings=settings)
        harness.send("ledger", order_payment())
        harness.send("ledger", a_callback(payment_id="o-1"))
        harness.send("ledger", VoidHold(order_id="o-1", reason="short-stock"))

    (failed,) = harness.events("ledger", ReturnFailed)
    assert isinstance(failed, ReturnFailed)
    assert (failed.amount, failed.paid) == (minor(500), minor(499))
    again = harness.send("ledger", RetryReturn(payment_id="o-1", return_id="hold#rest"))
    assert (again.outcome, again.code) == ("refused", "paid-otherwise")
