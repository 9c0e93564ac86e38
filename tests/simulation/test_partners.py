"""The partners keep the real adapters' protocol, break it where their manners say so, and stay honest about it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.fulfillment.adapters import Adapters as Fulfillment
from services.fulfillment.adapters import build as build_fulfillment
from services.fulfillment.adapters.supplier import OutcomeUnknown, Purchase
from services.ledger.adapters import build as build_ledger
from services.ledger.adapters.channel import Channel, ChannelUnavailable
from services.ledger.adapters.effects import NotYetClosed, close_payment, return_payment
from shared.contracts import Money
from shared.contracts.fulfillment import RecordPurchase
from shared.contracts.ledger import RecordCallback, RecordClosing
from shared.runtime.simulated.luck import Luck
from tests.simulation.builders import Deaf, deaf
from tests.simulation.manners import PERFECT, Manners, Whims
from tests.simulation.partners import CHANNEL, STRANGER, Partners

PRICE = Money(amount=500)
REFUND = {"payment_id": "o-1", "return_id": "r-1", "channel": CHANNEL, "amount": PRICE.model_dump()}
WANTED = Purchase("o-1/1", "north", "o-1/1#north", "top-up", 2, "13800000000")


def channel_of(host: Deaf) -> Channel:
    return build_ledger(host.context()).channels[CHANNEL]


def suppliers_of(host: Deaf) -> Fulfillment:
    return build_fulfillment(host.context())


def callbacks(host: Deaf) -> list[RecordCallback]:
    return [command for _, command, _ in host.sent if isinstance(command, RecordCallback)]


def reports(host: Deaf) -> list[tuple[str, RecordPurchase]]:
    return [(actor, command) for _, command, actor in host.sent if isinstance(command, RecordPurchase)]


def behave(host: Deaf, partners: Partners, manners: Manners = PERFECT) -> None:
    partners.whims.manners = manners


# The channel


def test_a_payment_is_opened_and_paid_and_its_callback_comes_as_the_gateway_sends_it() -> None:
    host, partners = deaf()
    opened = channel_of(host).open("o-1", PRICE)
    assert partners.channel.pay("o-1")
    host.pass_time(5)
    (callback,) = callbacks(host)
    assert (callback.payment_id, callback.channel_ref, callback.amount, callback.status) == (
        "o-1",
        opened.channel_ref,
        PRICE,
        "paid",
    )
    assert callback.authentic
    assert host.sent[0][2] == f"channel:{CHANNEL}"
    assert channel_of(host).status("o-1").status == "paid"
    assert partners.channel.captures() == {"o-1": 1}


def test_a_request_signed_with_another_secret_is_turned_away() -> None:
    host, partners = deaf()
    forger = Channel(channel_of(host).http, b"another secret", host.clock, "http://shop.sim")
    with pytest.raises(ChannelUnavailable, match="401"):
        forger.open("o-1", PRICE)
    assert partners.channel.captures() == {}


def test_paying_twice_takes_money_once_and_tells_twice() -> None:
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    assert partners.channel.pay("o-1")
    assert partners.channel.pay("o-1")
    host.pass_time(5)
    assert len(callbacks(host)) == 2
    assert partners.channel.captures() == {"o-1": 1}


def test_a_payment_that_nobody_makes_fails_after_a_while() -> None:
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    host.pass_time(1_000)
    assert [callback.status for callback in callbacks(host)] == ["failed"]
    assert not partners.channel.pay("o-1")
    assert channel_of(host).status("o-1").status == "failed"


@pytest.mark.parametrize(
    ("manners", "expected"),
    [
        (Manners(wrong_amount=1), lambda callback: callback.amount != PRICE),
        (Manners(wrong_payment=1), lambda callback: callback.payment_id == "o-1-unknown"),
        (Manners(forged=1), lambda callback: not callback.authentic),
    ],
)
def test_wrong_callbacks_come_besides_the_true_one(manners: Manners, expected: Any) -> None:
    host, partners = deaf(manners)
    channel_of(host).open("o-1", PRICE)
    partners.channel.pay("o-1")
    host.pass_time(60)
    wrong = [callback for callback in callbacks(host) if expected(callback)]
    assert (len(callbacks(host)), len(wrong)) == (2, 1)


def test_callbacks_are_lost_doubled_or_late() -> None:
    for manners, at_once, in_all in (
        (Manners(callback_lost=1), 0, 0),
        (Manners(callback_twice=1), 2, 2),
        (Manners(callback_late=1), 0, 1),
    ):
        host, partners = deaf(manners)
        channel_of(host).open("o-1", PRICE)
        partners.channel.pay("o-1")
        host.pass_time(5)
        assert len(callbacks(host)) == at_once
        host.pass_time(300)
        assert len(callbacks(host)) == in_all


def test_a_callback_that_nobody_answers_is_repeated_under_new_ids() -> None:
    host, partners = deaf(reply=None)
    channel_of(host).open("o-1", PRICE)
    partners.channel.pay("o-1")
    host.pass_time(100)
    assert len({id_ for id_, _, _ in host.sent}) == 5
    assert partners.is_quiet()


def refund(host: Deaf, attempt: int) -> bool:
    return return_payment(REFUND, attempt, build_ledger(host.context())).returned


def test_a_refund_whose_answer_is_lost_is_found_and_not_paid_again() -> None:
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    partners.channel.pay("o-1")
    behave(host, partners, Manners(unanswered=1))
    with pytest.raises(ChannelUnavailable):
        refund(host, 1)
    behave(host, partners)
    assert refund(host, 2)
    assert partners.channel.refunds() == {("o-1", "r-1"): 1}


def test_a_refund_that_is_repeated_blindly_is_paid_twice() -> None:
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    partners.channel.pay("o-1")
    assert refund(host, 1)
    assert refund(host, 1)
    assert partners.channel.refunds() == {("o-1", "r-1"): 2}


def close(host: Deaf, attempt: int = 1) -> RecordClosing:
    return close_payment(REFUND, attempt, build_ledger(host.context()))


def test_a_payment_that_nobody_made_is_closed_and_one_that_is_paid_is_found() -> None:
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    assert close(host).closed
    assert not partners.channel.pay("o-1")
    host, partners = deaf()
    channel_of(host).open("o-1", PRICE)
    partners.channel.pay("o-1")
    assert close(host).paid == PRICE


def test_closing_is_refused_crossed_or_feigned_for_whoever_has_the_link() -> None:
    host, partners = deaf(Manners(close_refused=1))
    channel_of(host).open("o-1", PRICE)
    with pytest.raises(NotYetClosed):
        close(host)
    behave(host, partners, Manners(close_crossed=1, close_feigned=1))
    assert close(host).closed
    for manners, paid_at_once in ((Manners(close_crossed=1), True), (Manners(close_feigned=1), False)):
        host, partners = deaf(manners)
        channel_of(host).open("o-1", PRICE)
        partners.channel.link("o-1")
        assert close(host).closed != paid_at_once
        host.pass_time(301)
        assert partners.channel.captures() == {"o-1": 1}
        assert [callback.status for callback in callbacks(host)] == ["paid"]


# The way


@pytest.mark.parametrize(
    ("manners", "done_now", "done_later"),
    [
        (Manners(unreachable=1), False, False),
        (Manners(erring=1), False, False),
        (Manners(unanswered=1), True, True),
        (Manners(garbled=1), True, True),
        (Manners(delayed=1), False, True),
    ],
)
def test_a_request_fails_before_after_or_long_before_it_is_carried_out(
    manners: Manners, done_now: bool, done_later: bool
) -> None:
    host, partners = deaf(manners)
    with pytest.raises(ChannelUnavailable):
        channel_of(host).open("o-1", PRICE)
    assert ("o-1" in partners.channel.books.all) == done_now
    host.pass_time(30)
    assert ("o-1" in partners.channel.books.all) == done_later


def test_whoever_is_down_comes_back() -> None:
    host, partners = deaf(Manners(down=1))
    assert any(partner.is_down for partner in partners.all)
    partners.heal()
    host.pass_time(200)
    assert not any(partner.is_down for partner in partners.all)


# The suppliers


def test_a_purchase_is_made_once_and_reported() -> None:
    host, partners = deaf()
    done = suppliers_of(host).suppliers.purchase(WANTED, 1)
    assert (done.outcome, done.delivery_id, done.supplier) == ("done", "o-1/1", "north")
    assert partners.suppliers["north"].purchases() == {WANTED.request_id: 1}


def test_a_purchase_whose_answer_is_lost_is_found() -> None:
    host, partners = deaf(Manners(unanswered=1))
    suppliers = suppliers_of(host).suppliers
    with pytest.raises(httpx.ReadTimeout):
        suppliers.purchase(WANTED, 1)
    behave(host, partners)
    assert suppliers.purchase(WANTED, 2).outcome == "done"
    assert partners.suppliers["north"].purchases() == {WANTED.request_id: 1}


def test_a_purchase_that_arrives_after_its_repetition_is_made_once() -> None:
    host, partners = deaf(Manners(delayed=1))
    suppliers = suppliers_of(host).suppliers
    with pytest.raises(httpx.ReadTimeout):
        suppliers.purchase(WANTED, 1)
    behave(host, partners)
    assert suppliers.purchase(WANTED, 2).outcome == "done"
    host.pass_time(30)
    assert partners.suppliers["north"].books.all[WANTED.request_id].arrived == 2
    assert partners.suppliers["north"].purchases() == {WANTED.request_id: 1}


def test_a_purchase_that_is_repeated_blindly_is_made_twice() -> None:
    host, partners = deaf()
    for _ in range(2):
        suppliers_of(host).suppliers.purchase(WANTED, 1)
    assert partners.suppliers["north"].purchases() == {WANTED.request_id: 2}


def test_a_pending_purchase_ends_with_a_callback() -> None:
    for failing, outcome, bought in ((0, "done", 1), (1, "failed", 0)):
        host, partners = deaf(Manners(pending=1, pending_failing=failing))
        assert suppliers_of(host).suppliers.purchase(WANTED, 1).outcome == "pending"
        host.pass_time(60)
        assert [(actor, report.outcome) for actor, report in reports(host)] == [("supplier:north", outcome)]
        assert partners.suppliers["north"].purchases() == {WANTED.request_id: bought}


def test_a_silent_purchase_is_done_when_looked_up() -> None:
    host, _ = deaf(Manners(silent=1))
    suppliers = suppliers_of(host).suppliers
    assert suppliers.purchase(WANTED, 1).outcome == "pending"
    host.pass_time(300)
    assert reports(host) == []
    found = [suppliers.look_up("north", WANTED.request_id) for _ in range(2)]
    assert [one.outcome for one in found if one] == ["pending", "done"]


def test_a_stuck_purchase_ends_when_staff_asks() -> None:
    host, partners = deaf(Manners(pending=1, stuck=1))
    suppliers = suppliers_of(host).suppliers
    suppliers.purchase(WANTED, 1)
    host.pass_time(300)
    assert partners.suppliers["north"].ask(WANTED.request_id) is False
    found = suppliers.look_up("north", WANTED.request_id)
    assert found is not None
    assert found.outcome == "failed"


def test_a_stranger_lies_about_a_purchase_nobody_asked_of_it() -> None:
    host, partners = deaf(Manners(wrong_supplier=1))
    suppliers_of(host).suppliers.purchase(WANTED, 1)
    host.pass_time(10)
    assert [(actor, report.delivery_id) for actor, report in reports(host)] == [(f"supplier:{STRANGER}", "o-1/1")]
    assert sum(partners.suppliers["south"].purchases().values()) == 0


def test_a_failure_is_certain_and_what_is_down_takes_nothing() -> None:
    host, partners = deaf(Manners(failing=1))
    suppliers = suppliers_of(host).suppliers
    assert suppliers.purchase(WANTED, 1).outcome == "failed"
    behave(host, partners)
    partners.suppliers["south"].is_down = True
    south = Purchase("o-1/1", "south", "o-1/1#south", "top-up", 2, "13800000000")
    assert suppliers.purchase(south, 1).outcome == "failed"
    with pytest.raises(OutcomeUnknown):
        suppliers.look_up("south", south.request_id)
    assert dict(partners.suppliers["south"].purchases()) == {}


# Whims


def test_each_misbehaviour_has_luck_of_its_own() -> None:
    """Switching one off, as shrinking does, leaves the others as they were."""

    def draws(manners: Manners) -> list[bool]:
        whims = Whims(manners, Luck("whims"))
        return [whims.strike(name) for _ in range(50) for name in ("erring", "delayed")][1::2]

    assert draws(Manners(erring=0.5, delayed=0.5)) == draws(Manners(delayed=0.5))
