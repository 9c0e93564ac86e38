"""Texts that suppliers deliver: sealed to the buyer who waits, or kept sealed for a person."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from services.fulfillment.adapters.goods import goods_sealing
from services.fulfillment.domain import decide
from services.fulfillment.domain.goods import Resealed, goods_to_open
from services.fulfillment.service import SERVICE
from shared.contracts import Decided, DecisionContext, Metadata, Money, Refused
from shared.contracts.fulfillment import (
    OpenGoods,
    OpenReport,
    PurchaseReport,
    RecordPurchase,
    ResolveDelivery,
    SupplierDelivered,
    SupplierGoodsOpened,
    SupplierReportOpened,
    SupplierReportRefused,
    SupplierStatementRecorded,
)
from shared.contracts.inventory import SealedKey
from shared.runtime.settings import Settings
from shared.security.sealing import Opener, keypair_from_secret
from tests.fulfillment.builders import COST, ID, NOW, after, deliver, deliver_by, given, order_line, report, when
from tests.platform.harness import Harness

TEXTS = ("CARD-0001", "卡号 0002")
READER = keypair_from_secret("a person of finance")
BOXES = (SealedKey(index="first", box="k1.first"), SealedKey(index="second", box="k1.second"))
FAILED, NOT_DELIVERED = report("north", "failed"), ResolveDelivery(delivery_id=ID, delivered=False, note="refunded")
LATE = report("north", "done", supplier_ref="n-7", goods=BOXES)


def sealed(harness: Harness, texts: tuple[str, ...] = TEXTS) -> RecordPurchase:
    """What the supplier says, as the gateway passes it on."""
    purchase_report = PurchaseReport(
        request_id=f"{ID}#north", outcome="done", supplier_ref="n-7", cost=COST, goods=texts
    )
    return purchase_report.told_by("north", goods_sealing(harness.secrets, os.urandom).seal(purchase_report))


def reading(statement: int = 1) -> OpenGoods:
    return OpenGoods(delivery_id=ID, statement=statement, reader_key=READER.public, note="for the next buyer")


def test_texts_that_come_late_are_kept_and_known_when_they_come_again() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED)
    [kept] = when(past, LATE, {})

    assert isinstance(kept, SupplierStatementRecorded)
    assert (kept.finding, kept.goods) == ("late-success", BOXES)
    once_more = tuple(one.model_copy(update={"box": f"{one.box}-again"}) for one in BOXES)
    assert when([*past, kept], LATE.model_copy(update={"goods": once_more}), {}) == []
    assert when([*past, kept], LATE.model_copy(update={"goods": ()}), {}) == []


def test_texts_that_were_left_out_at_first_are_news() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, LATE.model_copy(update={"goods": ()}))
    [kept] = when(past, LATE, {})

    assert isinstance(kept, SupplierStatementRecorded)
    assert (kept.finding, kept.bill, kept.goods) == ("other-reference", None, BOXES)


def test_only_texts_of_a_statement_are_shown() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, LATE)
    bare = given(deliver_by("north"), FAILED, NOT_DELIVERED, LATE.model_copy(update={"goods": ()}))

    for history, command in ((past, reading(2)), (past, reading(0)), (bare, reading()), ([], reading())):
        with pytest.raises(Refused, match="no-goods"):
            when(history, command)


def test_a_reading_is_an_event_and_its_answer_is_sealed() -> None:
    past = given(deliver_by("north"), FAILED, NOT_DELIVERED, LATE)
    asked = DecisionContext(NOW, "command-1", Metadata(correlation_id="c", causation_id="c"), Resealed("k1.envelope"))
    decided = decide(reading(), after(past), asked)

    assert isinstance(decided, Decided)
    [event] = decided.events
    assert isinstance(event, SupplierGoodsOpened)
    assert (event.statement, event.supplier, event.note) == (1, "north", "for the next buyer")
    assert decided.answer == {"envelope": "k1.envelope"}


def test_a_bill_that_nobody_can_believe_leaves_the_texts_to_the_buyer() -> None:
    odd = LATE.model_copy(update={"cost": Money(amount=-5)})
    asked = given(deliver(order_line("supplier", 2, ("north",))))
    delivered, doubtful = when(asked, odd, Resealed("k1.envelope"))

    assert isinstance(delivered, SupplierDelivered)
    assert (delivered.envelope, delivered.indexes) == ("k1.envelope", ("first", "second"))
    assert isinstance(doubtful, SupplierStatementRecorded)
    assert doubtful.goods == ()
    assert after([*asked, delivered]).purchases["north"].said[0].goods == ("first", "second")


def nowhere_in(folder: Path) -> bool:
    """Whether no file holds one of the texts."""
    files = (file.read_bytes() for file in folder.rglob("*") if file.is_file())
    return not any(text.encode() in content for content in files for text in TEXTS)


@pytest.mark.parametrize("is_delivered", [True, False])
def test_a_person_reads_what_came_after_a_refund_and_nothing_else_holds_it(tmp_path: Path, is_delivered: bool) -> None:
    harness = Harness(tmp_path, [SERVICE], settings=Settings(var=tmp_path))
    harness.send("fulfillment", deliver_by("north"))
    harness.send("fulfillment", ResolveDelivery(delivery_id=ID, delivered=is_delivered, note="seen to"))
    harness.send("fulfillment", sealed(harness))
    harness.send("fulfillment", sealed(harness))

    [kept] = harness.events("fulfillment", SupplierStatementRecorded)
    assert isinstance(kept, SupplierStatementRecorded)
    assert (kept.bill, len(kept.goods)) == (COST, 2)
    reply = harness.send("fulfillment", reading())
    assert json.loads(Opener(READER.private).open(reply.answer["envelope"], f"{ID}/s1")) == list(TEXTS)
    assert len(harness.events("fulfillment", SupplierGoodsOpened)) == 1
    assert nowhere_in(tmp_path)


UNASKED = report("south", "done", supplier_ref="s-1", goods=BOXES)


def reading_report(report: int = 1) -> OpenReport:
    return OpenReport(delivery_id=ID, report=report, reader_key=READER.public, note="what did they send?")


def test_each_report_that_was_never_asked_for_is_read_by_its_number() -> None:
    """Whether we know the delivery or not."""
    bare = UNASKED.model_copy(update={"supplier_ref": "s-2", "goods": ()})
    last = UNASKED.model_copy(update={"supplier_ref": "s-3", "goods": BOXES[:1]})
    for asked in ([], given(deliver_by("north"))):
        past = given(*([deliver_by("north")] if asked else []), UNASKED, UNASKED, bare, last)
        assert sum(isinstance(event, SupplierReportRefused) for event in past) == 3
        for number, boxes in ((1, BOXES), (3, BOXES[:1])):
            opening = goods_to_open(reading_report(number), after(past))
            assert opening is not None
            assert (opening.goods, opening.context) == (boxes, f"{ID}/r{number}")
            context = DecisionContext(NOW, "c", Metadata(correlation_id="c", causation_id="c"), Resealed("k1.envelope"))
            decided = decide(reading_report(number), after(past), context)
            assert isinstance(decided, Decided)
            [event] = decided.events
            assert isinstance(event, SupplierReportOpened)
            order_id = "order-1" if asked else None
            assert (event.order_id, event.supplier, event.report) == (order_id, "south", number)
            assert decided.answer == {"envelope": "k1.envelope"}
        for number in (0, 2, 4):
            assert goods_to_open(reading_report(number), after(past)) is None
            with pytest.raises(Refused, match="no-goods"):
                when(past, reading_report(number))


def test_a_person_reads_what_nobody_asked_for_and_nothing_else_holds_it(tmp_path: Path) -> None:
    harness = Harness(tmp_path, [SERVICE], settings=Settings(var=tmp_path))
    purchase_report = PurchaseReport(request_id=f"{ID}#south", outcome="done", cost=COST, goods=TEXTS)
    harness.send(
        "fulfillment",
        purchase_report.told_by("south", goods_sealing(harness.secrets, os.urandom).seal(purchase_report)),
    )
    assert len(harness.events("fulfillment", SupplierReportRefused)) == 1

    reply = harness.send("fulfillment", reading_report())

    assert json.loads(Opener(READER.private).open(reply.answer["envelope"], f"{ID}/r1")) == list(TEXTS)
    assert len(harness.events("fulfillment", SupplierReportOpened)) == 1
    assert nowhere_in(tmp_path)
