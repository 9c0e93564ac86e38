"""Goods that can't be what was sold: the buyer gets none of them, a person gets the line and the evidence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from services.fulfillment.adapters.goods import goods_sealing
from services.fulfillment.adapters.supplier import Purchase, Suppliers
from services.fulfillment.domain.goods import Resealed, goods_to_open
from services.fulfillment.service import SERVICE
from shared.contracts import Command, Event, Money, Refused, decode_event
from shared.contracts.fulfillment import (
    DeliveryHandedOver,
    OpenGoods,
    PurchaseReport,
    RecordPurchase,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SettleStatement,
    SupplierDelivered,
    SupplierStatementRecorded,
    SupplierStatementSettled,
)
from shared.contracts.inventory import SealedKey
from shared.runtime.settings import Settings
from shared.security.sealing import Opener, blind_index, keypair_from_secret
from tests.fulfillment.builders import BUYER, COST, ID, after, deliver, given, names, order_line, report, when
from tests.platform.harness import Harness

READER = keypair_from_secret("a person of operations")
LINE = order_line("supplier", 3, ("north", "south"))
ASKED = given(deliver(LINE))
DONE = Resealed("k1.envelope")


def goods(*indexes: str, sending: int = 1) -> tuple[SealedKey, ...]:
    return tuple(SealedKey(index=index, box=f"k1.{index}-{sending}") for index in indexes)


def answer(*indexes: str, **more: Any) -> RecordPurchase:
    return report("north", "done", **{"supplier_ref": "n-7", "goods": goods(*indexes), **more})


MISFITS = {
    "fewer": ("a",),
    "more": ("a", "b", "c", "d", "e"),
    "twice": ("a", "b", "a"),
    "blank": ("a", "", "c"),
}
HELD = given(deliver(LINE), answer("a"))


def held_back(events: list[Event]) -> tuple[SupplierStatementRecorded, DeliveryHandedOver]:
    statement, over = events
    assert isinstance(statement, SupplierStatementRecorded)
    assert isinstance(over, DeliveryHandedOver)
    return statement, over


@pytest.mark.parametrize("came", MISFITS.values(), ids=MISFITS)
def test_what_was_not_sold_is_kept_and_handed_over(came: tuple[str, ...]) -> None:
    said = answer(*came)
    statement, over = held_back(when(ASKED, said, {}))

    assert goods_to_open(said, after(ASKED)) is None
    assert (statement.finding, statement.goods, statement.bill) == ("doubtful-goods", said.goods, COST)
    assert over.reason == statement.doubt
    assert over.reason.startswith("the supplier sent")
    assert over.supplier is None


def test_a_text_that_came_before_is_kept_and_handed_over() -> None:
    _, over = held_back(when(ASKED, answer("a", "b", "c"), Resealed(given_before=("b",))))

    assert over.reason == "the supplier sent 1 texts that came before"


@pytest.mark.parametrize("kind", ["card-key", "activation-code"])
def test_a_code_that_is_done_without_a_text_is_kept_and_handed_over(kind: str) -> None:
    """The buyer was sold a text: without one nothing is delivered."""
    asked = given(deliver(LINE.model_copy(update={"kind": kind, "target": None})))
    statement, over = held_back(when(asked, answer(), {}))

    assert (statement.finding, statement.goods, statement.bill) == ("doubtful-goods", (), COST)
    assert over.reason == statement.doubt == "the supplier sent no text for 3 sold"
    later = answer("a", "b", "c")
    [second] = when([*asked, statement, over], later, DONE)
    assert isinstance(second, SupplierStatementRecorded)
    assert (second.finding, second.goods) == ("other-reference", later.goods)


@pytest.mark.parametrize("kind", ["top-up", "bill-payment", "membership", "course", "custom"])
def test_what_is_no_text_is_done_without_one(kind: str) -> None:
    asked = given(deliver(LINE.model_copy(update={"kind": kind})))

    assert names(when(asked, answer(), {})) == ["SupplierDelivered"]


def test_what_goes_to_a_target_is_done_without_a_text() -> None:
    asked = given(deliver(LINE.model_copy(update={"kind": "card-key", "target": "13800138000"})))

    assert names(when(asked, answer(), {})) == ["SupplierDelivered"]


def test_goods_in_doubt_as_the_version_before_wrote_them_are_read_and_written_as_before() -> None:
    statement, _ = held_back(when(ASKED, answer("a"), {}))
    body = {**statement.model_dump(mode="json"), "finding": "late-success"}

    lifted = decode_event("SupplierStatementRecorded.v1", json.dumps(body))
    assert lifted == statement
    late = decode_event("SupplierStatementRecorded.v1", json.dumps({**body, "doubt": ""}))
    assert isinstance(late, SupplierStatementRecorded)
    assert late.finding == "late-success"


def test_what_was_sold_is_delivered() -> None:
    [delivered] = when(ASKED, answer("a", "b", "c"), DONE)

    assert isinstance(delivered, SupplierDelivered)
    assert delivered.envelope == "k1.envelope"
    assert names(when(ASKED, answer(), {})) == ["SupplierDelivered"]  # a top-up brings no texts


@pytest.mark.parametrize("came", MISFITS.values(), ids=MISFITS)
def test_the_same_answer_again_changes_nothing(came: tuple[str, ...]) -> None:
    past = given(deliver(LINE), answer(*came))

    assert when(past, answer(*came, goods=goods(*came, sending=2)), {}) == []
    assert when(past, answer(), {}) == []
    assert when(past, report("north", "pending"), {}) == []
    assert when(past, RecordPurchaseUnknown(delivery_id=ID, supplier="north", reason="time-out"), {}) == []


def test_a_second_answer_is_kept_for_the_person_who_has_the_line() -> None:
    """The person may have delivered already: so nothing goes to the buyer without one any more."""
    [second] = when(HELD, answer("a", "b", "c"), DONE)

    assert isinstance(second, SupplierStatementRecorded)
    assert (second.finding, second.bill, second.goods) == ("other-reference", None, goods("a", "b", "c"))
    [back] = when(HELD, report("north", "failed"), {})
    assert isinstance(back, SupplierStatementRecorded)
    assert back.finding == "late-failure"


def test_an_unknown_purchase_that_brings_doubtful_goods_says_why_a_person_has_it() -> None:
    unknown = RecordPurchaseUnknown(delivery_id=ID, supplier="north", reason="time-out")
    _, over = held_back(when(given(deliver(LINE), unknown), answer("a"), {}))

    assert over.reason == "the supplier sent 1 texts for 3 sold"


@pytest.mark.parametrize("delivered", [True, False])
def test_a_person_resolves_the_line_and_settles_the_statement(delivered: bool) -> None:
    ended = when(HELD, ResolveDelivery(delivery_id=ID, delivered=delivered, note="seen to"))
    assert names(ended) == ["DeliveryResolved" if delivered else "DeliveryFailed"]

    for decision in ("cost", "claim"):
        fields = {"delivery_id": ID, "statement": 1, "decision": decision, "note": "asked them"}
        [settled] = when([*HELD, *ended], SettleStatement.model_validate(fields))
        assert isinstance(settled, SupplierStatementSettled)
        assert (settled.bill, settled.moved) == (None, COST if decision == "cost" else None)


def test_a_bill_that_nobody_can_believe_waits_for_its_cost() -> None:
    odd = answer("a", cost=Money(amount=-5))
    statement, _ = held_back(when(ASKED, odd, {}))
    assert (statement.finding, statement.bill, statement.goods) == ("doubtful-cost", None, odd.goods)

    bear = SettleStatement(delivery_id=ID, statement=1, decision="cost", cost=COST, note="it is this")
    [settled] = when([*ASKED, statement], bear)
    assert isinstance(settled, SupplierStatementSettled)
    assert settled.bill == COST


# In a service, with texts


class Shop:
    """Fulfillment, with lines of three codes that the supplier north is asked for."""

    def __init__(self, folder: Path) -> None:
        self.harness = Harness(folder, [SERVICE], settings=Settings(var=folder))
        self.sealing = goods_sealing(self.harness.secrets, os.urandom)

    def ask(self, order_id: str) -> str:
        delivery_id = f"{order_id}/1"
        where = {"delivery_id": delivery_id, "order_id": order_id}
        self.harness.send("fulfillment", deliver(LINE).model_copy(update=where))
        return delivery_id

    def answer(self, delivery_id: str, *texts: str) -> None:
        purchase_report = PurchaseReport(request_id=f"{delivery_id}#north", outcome="done", cost=COST, goods=texts)
        self.send(purchase_report.told_by("north", self.sealing.seal(purchase_report)))

    def send(self, command: Command) -> dict[str, Any]:
        return dict(self.harness.send("fulfillment", command).answer)

    def last(self, kind: type[Event]) -> Any:
        return self.harness.events("fulfillment", kind)[-1]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    def works_on_it(self: Suppliers, purchase: Purchase, attempt: int) -> RecordPurchase:
        return RecordPurchase(delivery_id=purchase.delivery_id, supplier=purchase.supplier, outcome="pending")

    monkeypatch.setattr(Suppliers, "purchase", works_on_it)
    return Shop(tmp_path)


AGAIN = ["CODE-2", "ＣＯＤＥ-２", " CODE-2\u3000", "CODE\u200b-2"]


@pytest.mark.parametrize("again", AGAIN, ids=ascii)
def test_a_code_goes_to_one_buyer_however_it_is_written(shop: Shop, again: str) -> None:
    first = shop.ask("order-1")
    shop.answer(first, "CODE-1", "CODE-2", "CODE-3")
    second = shop.ask("order-2")
    shop.answer(second, "CODE-4", again, "CODE-5")

    [delivered] = shop.harness.events("fulfillment", SupplierDelivered)
    assert isinstance(delivered, SupplierDelivered)
    assert delivered.delivery_id == first
    opened = json.loads(Opener(BUYER.private).open(delivered.envelope, first))
    assert opened == ["CODE-1", "CODE-2", "CODE-3"]
    assert shop.last(DeliveryHandedOver).reason == "the supplier sent 1 texts that came before"
    statement = shop.last(SupplierStatementRecorded)
    assert (statement.delivery_id, statement.finding, len(statement.goods)) == (second, "doubtful-goods", 3)
    reading = OpenGoods(delivery_id=second, statement=1, reader_key=READER.public, note="what came?")
    texts = json.loads(Opener(READER.private).open(shop.send(reading)["envelope"], f"{second}/s1"))
    assert texts == ["CODE-4", "CODE-2", "CODE-5"]


def test_what_a_person_may_hand_out_is_delivered_to_nobody_else(shop: Shop) -> None:
    shop.answer(shop.ask("order-1"), "CODE-1")
    shop.answer(shop.ask("order-2"), "CODE-1", "CODE-2", "CODE-3")

    assert shop.harness.events("fulfillment", SupplierDelivered) == []
    assert len(shop.harness.events("fulfillment", DeliveryHandedOver)) == 2


def test_a_blank_code_and_one_twice_are_held_back(shop: Shop) -> None:
    shop.answer(shop.ask("order-1"), "CODE-1", " \u200b", "CODE-3")
    assert shop.last(DeliveryHandedOver).reason == "the supplier sent a text that can be no key"
    shop.answer(shop.ask("order-2"), "CODE-4", "ＣＯＤＥ-４", "CODE-5")
    assert shop.last(DeliveryHandedOver).reason == "the supplier sent the same text twice"

    assert shop.harness.events("fulfillment", SupplierDelivered) == []


def test_a_text_has_the_hash_that_it_would_have_in_stock(shop: Shop) -> None:
    purchase_report = PurchaseReport(request_id=f"{ID}#north", outcome="done", goods=tuple(AGAIN))
    key = shop.harness.secrets.get("blind-index")

    assert {one.index for one in shop.sealing.seal(purchase_report)} == {blind_index(key, "CODE-2")}


def test_a_person_who_has_the_line_ends_it_once(shop: Shop) -> None:
    delivery_id = shop.ask("order-1")
    shop.answer(delivery_id, "CODE-1")
    resolve = ResolveDelivery(delivery_id=delivery_id, delivered=True, note="sent the rest by mail")
    shop.send(resolve)

    with pytest.raises(Refused, match="already-ended"):
        when([*HELD, *when(HELD, resolve.model_copy(update={"delivery_id": ID}))], resolve)
