"""Mail about orders that nobody paid for: anybody can have it sent to anybody, so there is little of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from services.notification.domain import Mailed, Message, Reach, decide, is_unpaid
from services.notification.service import SERVICE
from shared.contracts import DecisionContext, replace
from shared.contracts.notification import MessageQueued, MessageWithheld, RecordSending, SendMessage
from shared.runtime.settings import Settings
from tests.notification.builders import NOW, folded, given, mail
from tests.platform.harness import Harness


def cancelled(number: int, to: str = "stranger@example.org", paid: int = 0) -> SendMessage:
    params: dict[str, str | int] = {"reason": "buyer", "paid": paid}
    return mail(message_id=f"order-cancelled/o{number}/buyer", to=to, template="order-cancelled", params=params)


def after_mail(at: list[int], most: int = 3) -> DecisionContext:
    """Given that an address got mail so many hours ago."""
    return replace(given(), facts=Reach(True, Mailed([NOW - timedelta(hours=hours) for hours in at], most)))


def test_what_is_paid_was_placed_by_whoever_reads_the_mail() -> None:
    assert is_unpaid("order-cancelled", {"reason": "unpaid", "paid": 0})
    assert not is_unpaid("order-cancelled", {"reason": "short-stock", "paid": 1})
    assert not is_unpaid("order-completed", {})


def test_beyond_the_days_number_a_message_is_withheld_for_good() -> None:
    (event,) = decide(cancelled(1), Message(), after_mail([1, 2, 23]))
    assert isinstance(event, MessageWithheld)
    state = folded(event)
    assert decide(cancelled(1), state, after_mail([])) == []
    assert decide(RecordSending(message_id=cancelled(1).message_id, sent=True, attempts=1), state, given()) == []


def test_a_day_later_there_is_room_again() -> None:
    (event,) = decide(cancelled(1), Message(), after_mail([1, 2, 24]))
    assert isinstance(event, MessageQueued)


def withheld(market: Harness) -> list[str]:
    return [
        event.message_id
        for event in market.events("notification", MessageWithheld)
        if isinstance(event, MessageWithheld)
    ]


def test_many_cancelled_orders_send_a_stranger_three_mails_a_day(tmp_path: Path) -> None:
    market = Harness(tmp_path, [SERVICE], settings=Settings(var=tmp_path))
    spellings = ("stranger@EXAMPLE.org", "stranger@example.org", "stranger+1@example.org", "stranger+2@example.org")
    for number in range(20):
        market.send("notification", cancelled(number, to=spellings[number % 4]))
    market.send("notification", cancelled(2_000, to="other@example.org"))
    assert len(market.events("notification", MessageQueued)) == 4
    assert len(withheld(market)) == 17

    market.advance(24 * 3600)
    market.send("notification", cancelled(3_000))
    assert len(market.events("notification", MessageQueued)) == 5


def test_dots_and_tags_are_no_other_mailbox_of_google_and_mail_goes_where_it_was_addressed(tmp_path: Path) -> None:
    market = Harness(tmp_path, [SERVICE], settings=Settings(var=tmp_path))
    spellings = ("ab@gmail.com", "a.b@gmail.com", "a.b+1@googlemail.com", "AB@googlemail.com", "a.b+2@gmail.com")
    for number, spelled in enumerate(spellings):
        market.send("notification", cancelled(number, to=spelled))
    queued = [event for event in market.events("notification", MessageQueued) if isinstance(event, MessageQueued)]
    assert [event.to for event in queued] == list(spellings[:3])
    assert len(withheld(market)) == 2


def test_who_paid_once_gets_more_of_it_and_all_that_is_about_money(tmp_path: Path) -> None:
    market = Harness(tmp_path, [SERVICE], settings=Settings(var=tmp_path, unpaid_mails=0, unpaid_mails_to_payer=2))
    market.send("notification", cancelled(1))
    market.send("notification", mail(to="stranger@example.org"))
    for number in range(2, 6):
        market.send("notification", cancelled(number))
    for number in range(6, 16):
        market.send("notification", cancelled(number, paid=1))
    assert withheld(market) == [f"order-cancelled/o{number}/buyer" for number in (1, 4, 5)]
