"""A payment that nobody needs any more is closed at its channel, and what is paid all the same is never lost."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandboxes.channel import create_channel
from sandboxes.running import run_server
from services.ledger.adapters.channel import ChannelUnavailable
from services.ledger.adapters.effects import ABSENT_AFTER_TRIES, EFFECTS, NotYetClosed
from services.ledger.domain.payment import Payment, decide_payment, evolve_payment
from services.ledger.reactions import PLANS, REACTIONS
from services.ledger.service import SERVICE
from shared.contracts import CallExternal, Cancel, Command, Decided, Event, Refused
from shared.contracts.ledger import (
    ClosePayment,
    FundsHeld,
    MatchPayment,
    PaymentClosed,
    PaymentClosing,
    PaymentNotClosed,
    PaymentOpened,
    PaymentReceived,
    PaymentUnmatched,
    RecordClosing,
    RecordPaymentOpening,
    StopPayment,
)
from shared.contracts.order import OrderCancelled
from shared.runtime.clock import Clock
from shared.runtime.settings import ChannelSettings, Settings
from shared.security.secrets import Secrets
from tests.amounts import minor
from tests.ledger.builders import NOW, OPENED, Books, a_callback, a_request, folded, given, received, requested
from tests.ledger.test_channel import PAYLOAD, Sandbox, answering, run
from tests.platform.harness import Harness
from tests.waiting import PATIENCE

ORDERED = requested(account="order:p-1", order_id="p-1")
CLOSE, STOP = ClosePayment(payment_id="p-1"), StopPayment(payment_id="p-1")
CLOSING = PaymentClosing(payment_id="p-1", channel="wechat", order_id="p-1")
CLOSED = PaymentClosed(payment_id="p-1", order_id="p-1")
NOT_CLOSED = PaymentNotClosed(payment_id="p-1", order_id="p-1", paid=None, reason="not now")
ASKED = (ORDERED, OPENED, CLOSING)
CLOSING_PATH = "/payments/o-1%2Fx%232/closing"


def decided(command: Command, *before: Event) -> list[Event]:
    found = decide_payment(command, folded(evolve_payment, Payment(), before), given())
    return list(found.events) if isinstance(found, Decided) else found


def a_closing(**changes: Any) -> RecordClosing:
    fields = {"payment_id": "p-1", "channel": "wechat", "closed": True}
    return RecordClosing.model_validate(fields | changes)


# What is decided


def test_an_order_that_ends_unpaid_has_its_payment_closed_and_one_that_is_paid_has_not():
    ended = OrderCancelled(order_id="p-1", customer=None, reason="unpaid", paid=False, lines=())
    assert list(REACTIONS[OrderCancelled](ended)) == [CLOSE]
    paid = ended.model_copy(update={"paid": True})
    assert not any(isinstance(command, ClosePayment) for command in REACTIONS[OrderCancelled](paid))


@pytest.mark.parametrize("before", [(ORDERED,), (ORDERED, OPENED)])
def test_a_payment_is_closed_once_whether_it_has_opened_or_not(before: tuple[Event, ...]):
    assert decided(CLOSE, *before) == [CLOSING]
    assert decided(CLOSE, *before, CLOSING) == []
    assert decided(CLOSE, *before, CLOSING, CLOSED) == []


@pytest.mark.parametrize(
    "before",
    [
        pytest.param((), id="a wallet paid"),
        pytest.param((requested(), OPENED), id="a deposit"),
        pytest.param((ORDERED, OPENED, received(order_id="p-1", account="order:p-1")), id="it has come"),
    ],
)
def test_there_is_nothing_to_close(before: tuple[Event, ...]):
    assert decided(CLOSE, *before) == []


def test_an_opening_that_waits_is_dropped_and_the_channel_asked():
    plans = PLANS[PaymentClosing](CLOSING, NOW)
    call = CallExternal("close/p-1", "close_payment", {"payment_id": "p-1", "channel": "wechat"})
    assert list(plans) == [Cancel("open/p-1"), call]


def test_what_the_channel_says_ends_the_closing_once():
    assert decided(a_closing(), *ASKED) == [CLOSED]
    assert decided(a_closing(), *ASKED, CLOSED) == []
    assert decided(a_closing(closed=False, reason="not now"), *ASKED) == [NOT_CLOSED]
    assert decided(a_closing(closed=False, reason="not now"), *ASKED, NOT_CLOSED) == []


def test_an_answer_about_another_payment_closes_nothing():
    (found,) = decided(a_closing(channel_ref="another"), *ASKED)

    assert isinstance(found, PaymentNotClosed)
    assert (found.paid, found.reason) == (None, "the channel answered about another payment, another")
    assert decided(a_closing(channel_ref=OPENED.channel_ref), *ASKED) == [CLOSED]


def test_nobody_is_alarmed_by_a_payment_that_came_meanwhile():
    came = received(order_id="p-1", account="order:p-1")
    assert decided(a_closing(closed=False, reason="no answer"), *ASKED, came) == []


def test_what_was_paid_before_is_taken_like_any_statement():
    books = Books()
    books.do(a_request(payment_id="o-1", account="order:o-1", order_id="o-1"))
    books.do(ClosePayment(payment_id="o-1"))
    paid = a_closing(payment_id="o-1", closed=False, channel_ref="ref-9", paid=minor(500), reason="it was paid before")
    books.do(paid)
    assert [type(it.event) for it in books.log[-3:]] == [PaymentNotClosed, PaymentReceived, FundsHeld]
    assert books.balance("order:o-1") == (-500, 500)
    books.do(paid)
    assert len(books.events(PaymentReceived)) == 1


def test_another_amount_that_was_paid_before_waits_for_a_person_who_can_match_it():
    books = Books()
    books.do(a_request(payment_id="o-1", account="order:o-1", order_id="o-1"))
    books.do(ClosePayment(payment_id="o-1"))
    books.do(a_closing(payment_id="o-1", closed=False, channel_ref="ref-9", paid=minor(499)))
    (item,) = [event.item for event in books.events(PaymentUnmatched) if isinstance(event, PaymentUnmatched)]
    books.do(MatchPayment(payment_id="o-1", item=item, note="close enough"))
    assert books.balance("order:o-1") == (-500, 500)


def test_a_closed_payment_that_is_paid_all_the_same_is_received():
    books = Books()
    books.do(a_request(payment_id="o-1", account="order:o-1", order_id="o-1"))
    books.do(ClosePayment(payment_id="o-1"))
    books.do(a_closing(payment_id="o-1"))
    assert books.do(a_callback(payment_id="o-1"))["outcome"] == "received"
    assert [type(it.event) for it in books.log[-2:]] == [PaymentReceived, FundsHeld]


def test_an_opening_that_arrives_late_is_closed_once_more():
    opened = RecordPaymentOpening(payment_id="p-1", opened=True, channel_ref="ref-1", pay_url="https://pay.example/1")
    failed = RecordPaymentOpening(payment_id="p-1", opened=False, reason="no answer")
    assert decided(opened, ORDERED, CLOSING) == [OPENED]
    assert decided(opened, ORDERED, CLOSING, CLOSED) == [OPENED, CLOSING]
    assert decided(failed, ORDERED, CLOSING) == []


def test_a_person_closes_what_a_channel_did_not():
    assert decided(STOP, *ASKED, NOT_CLOSED) == [CLOSING]
    assert decided(STOP, requested(), OPENED) == [CLOSING.model_copy(update={"order_id": None})]


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ((), "unknown-payment"),
        ((ORDERED, OPENED, received(order_id="p-1", account="order:p-1")), "already-paid"),
        (ASKED, "closing-under-way"),
        ((*ASKED, CLOSED), "already-closed"),
    ],
)
def test_a_person_is_refused_where_there_is_nothing_to_do(before: tuple[Event, ...], code: str):
    with pytest.raises(Refused) as no:
        decided(STOP, *before)
    assert no.value.code == code


# What is asked of the channel


class Closable(Sandbox):
    """A payment that is open at the sandbox channel."""

    def __init__(self, manner: str = "close") -> None:
        super().__init__()
        run("open_payment", PAYLOAD, self.adapters)
        self.http.put(CLOSING_PATH, json={"manner": manner}).raise_for_status()

    def close(self, attempt: int = 1) -> RecordClosing:
        return run("close_payment", PAYLOAD, self.adapters, attempt)


def test_the_channel_closes_it_and_closing_again_says_the_same():
    sandbox = Closable()
    assert sandbox.close().closed
    assert sandbox.close(attempt=2).closed
    assert sandbox.http.post("/payments/o-1%2Fx%232/pay").status_code == 409


@pytest.mark.parametrize("manner", ["close", "pay"])
def test_a_payment_that_was_paid_is_found_with_what_was_paid(manner: str):
    sandbox = Closable(manner)
    if manner == "close":
        sandbox.pay()
    found = sandbox.close()
    assert (found.closed, found.paid) == (False, minor(500))
    assert found.channel_ref.startswith("wechat-")


def test_a_refusal_is_tried_again_and_names_its_reason():
    with pytest.raises(NotYetClosed, match="409"):
        Closable("refuse").close()


def test_an_answer_that_says_nothing_is_tried_again():
    with pytest.raises(ChannelUnavailable, match="500"):
        Closable("fail").close()


def test_what_is_only_said_to_be_closed_counts_as_closed():
    sandbox = Closable("feign")
    assert sandbox.close().closed
    assert sandbox.http.post("/payments/o-1%2Fx%232/pay").json()["status"] == "paid"
    assert run("ask_payment", PAYLOAD, sandbox.adapters).status == "paid"


def test_a_payment_that_the_channel_does_not_know_is_waited_for_before_it_counts_as_closed():
    sandbox = Sandbox()
    for attempt in range(1, ABSENT_AFTER_TRIES):
        with pytest.raises(NotYetClosed):
            run("close_payment", PAYLOAD, sandbox.adapters, attempt)
    assert run("close_payment", PAYLOAD, sandbox.adapters, ABSENT_AFTER_TRIES).closed


def test_a_channel_that_cannot_close_is_not_taken_for_one_that_does_not_know_the_payment():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(404, json={"detail": "Not Found"})
        body = {"channel_ref": "ref-1", "status": "pending", "amount": 500, "currency": "CNY"}
        return httpx.Response(200, json=body)

    with pytest.raises(NotYetClosed, match="404"):
        run("close_payment", PAYLOAD, answering(answer), ABSENT_AFTER_TRIES)


def test_after_the_last_try_the_reason_is_kept():
    given_up = EFFECTS["close_payment"].gave_up(PAYLOAD, "no answer")
    assert (given_up.model_dump()["closed"], given_up.model_dump()["reason"]) == (False, "no answer")


# The whole service


def test_a_channel_that_refuses_for_hours_is_reported_and_closes_when_a_person_asks(tmp_path: Path):
    secret = Secrets(tmp_path / "secrets").get("channel-wechat")
    harnesses: list[Harness] = []
    app = create_channel("wechat", secret, "http://shop.invalid", Clock(now=lambda: harnesses[-1].now))
    with run_server(app, "channel") as url, httpx.Client(base_url=url, trust_env=False) as http:
        settings = Settings(var=tmp_path, channels={"wechat": ChannelSettings(url=url, timeout_seconds=PATIENCE)})
        harness = Harness(tmp_path, [SERVICE], settings=settings)
        harnesses.append(harness)
        harness.send("ledger", a_request(payment_id="o-1", account="order:o-1", order_id="o-1"))
        assert len(harness.events("ledger", PaymentOpened)) == 1
        http.put("/payments/o-1/closing", json={"manner": "refuse"}).raise_for_status()
        harness.send("ledger", ClosePayment(payment_id="o-1"))
        for _ in range(EFFECTS["close_payment"].attempts):
            harness.advance(timedelta(minutes=10).total_seconds())
        (given_up,) = harness.events("ledger", PaymentNotClosed)
        assert isinstance(given_up, PaymentNotClosed)
        assert "409" in given_up.reason
        http.put("/payments/o-1/closing", json={"manner": "close"}).raise_for_status()
        harness.send("ledger", StopPayment(payment_id="o-1"))
        assert len(harness.events("ledger", PaymentClosed)) == 1
        assert not harness.parked()
