from __future__ import annotations

import json
from collections import defaultdict
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.orders.history import OF_ORDERS, SHOWN, summary
from services.gateway.read_models import FOREIGN_EVENTS, ReadModels
from shared.contracts import Event, Money, events
from shared.contracts import fulfillment as ff
from shared.contracts import inventory as inv
from shared.contracts import ledger as led
from shared.contracts import notification as note
from shared.contracts import order as o
from shared.contracts import risk as r
from shared.contracts.gateway import CustomerRegistered, ImportCompleted, SignedIn, StaffAdded, StaffRemoved
from shared.eventstore.recorded import RecordedEvent
from tests.amounts import yuan
from tests.contracts.strategies import messages
from tests.gateway.builders import NOW, Logs, database, fold, line, listed, placed

WALLET = "wallet:c1"
REVENUE = "revenue:main"


def keys(*numbers: int) -> tuple[inv.ReservedKey, ...]:
    return tuple(inv.ReservedKey(number=number, box="k1.secret-box") for number in numbers)


def load(count: int) -> inv.KeysLoaded:
    sealed = tuple(inv.SealedKey(index=str(number), box="k1.secret-box") for number in range(count))
    return inv.KeysLoaded(sku="STEAM-50", batch_id="b1", first=1, keys=sealed)


def reserve(*numbers: int, order_id: str = "o1") -> inv.StockReserved:
    return inv.StockReserved(sku="STEAM-50", order_id=order_id, line=1, attempt=1, keys=keys(*numbers), expires_at=NOW)


def post(debit: str, credit: str, amount: Money) -> tuple[led.Posting, led.Posting]:
    return led.Posting(account=debit, amount=amount), led.Posting(account=credit, amount=-amount)


def received(amount: Money) -> led.PaymentReceived:
    return led.PaymentReceived(
        payment_id="p1",
        account=WALLET,
        amount=amount,
        channel="alipay",
        channel_ref="ref",
        callback_id="cb",
        order_id=None,
        postings=post("channel:alipay", WALLET, amount),
    )


SALE: list[Event] = [
    listed(),
    load(3),
    led.PaymentRequested(payment_id="p1", account=WALLET, amount=yuan(100), channel="alipay", order_id=None),
    led.PaymentOpened(payment_id="p1", channel_ref="ref", pay_url="https://pay.example/p1"),
    received(yuan(100)),
    placed(),
    r.OrderScreened(
        order_id="o1", customer="c1", ip="192.0.2.1", device="d", targets=(), amount=yuan(50), decision="review",
        reasons=("large",),
    ),
    r.CaseOpened(order_id="o1", amount=yuan(50), reasons=("large",)),
    reserve(2),
    led.FundsHeld(order_id="o1", account=WALLET, amount=yuan(50)),
    r.CaseDecided(order_id="o1", decision="pass", note="known buyer"),
    o.ScreeningRecorded(order_id="o1", decision="pass", reasons=()),
    o.PaymentRecorded(order_id="o1", amount=yuan(50)),
    o.OrderConfirmed(order_id="o1", customer="c1", lines=(line(),), attempt=1, buyer_key="key"),
    ff.DeliveryRequested(delivery_id="o1/1", order_id="o1", line=line(), attempt=1, buyer_key="key"),
    ff.KeysDelivered(delivery_id="o1/1", order_id="o1", line=1, sku="STEAM-50", numbers=(2,), envelope="k1.secret-box"),
    o.DeliveryRecorded(order_id="o1", line=1, delivered=True, numbers=(2,)),
    inv.StockSettled(sku="STEAM-50", order_id="o1", line=1, numbers=(2,)),
    o.OrderCompleted(order_id="o1", customer="c1", delivered=yuan(50), undelivered=yuan(0), agent=None),
    led.FundsCaptured(
        order_id="o1", account=WALLET, amount=yuan(50), released=yuan(0), postings=post(WALLET, REVENUE, yuan(50))
    ),
    note.MessageQueued(
        message_id="m1", channel="email", to="buyer@example.com", template="order-completed", locale="zh", params={},
        order_id="o1",
    ),
    note.MessageSent(message_id="m1", channel="email", attempts=1),
    o.RefundApproved(order_id="o1", refund_id="rf", amount=yuan(20), reason="half of it was stale"),
    led.FundsRefunded(
        order_id="o1", refund_id="rf", account=WALLET, amount=yuan(20), postings=post("refunds:main", WALLET, yuan(20))
    ),
    o.RefundRecorded(
        order_id="o1", customer="c1", refund_id="rf", amount=yuan(20), refunded=yuan(20), full=False
    ),
    r.ListEntrySet(entry="ip:1", list="watch", dimension="ip", value="1", reason="why", until=None),
    StaffAdded(username="anna", role="support"),
    StaffAdded(username="bob", role="support"),
    SignedIn(username="anna"),
    StaffRemoved(username="bob"),
    CustomerRegistered(customer="c1", name="Li", email="li@example.com"),
    ImportCompleted(import_id="i1", kind="keys", file_sha256="ab", fates={"loaded": 3}),
]  # fmt: skip


@pytest.fixture
def engine(engine: sa.Engine) -> sa.Engine:
    ReadModels.metadata.create_all(engine)
    return engine


def as_recorded(happened: list[Event]) -> list[RecordedEvent]:
    logs = Logs()
    return [logs.record(event, "staff:anna") for event in happened]


def dump(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.connect() as connection:
        return {
            table.name: sorted((dict(row) for row in connection.execute(sa.select(table)).mappings()), key=repr)
            for table in ReadModels.metadata.sorted_tables
        }


def one(engine: sa.Engine, table: str) -> dict[str, Any]:
    (row,) = dump(engine)[table]
    return row


def test_a_sale_reads_as_it_went(engine: sa.Engine) -> None:
    fold(engine, as_recorded(SALE))
    order = one(engine, "orders")
    assert (order["status"], order["total"], order["delivered"], order["refunded"]) == (
        "partly-refunded",
        5000,
        5000,
        2000,
    )
    assert [item["status"] for item in order["lines"]] == ["delivered"]
    product = one(engine, "products")
    assert {name: product[name] for name in ("loaded", "available", "reserved", "sold", "faulted")} == {
        "loaded": 3, "available": 2, "reserved": 0, "sold": 1, "faulted": 0
    }  # fmt: skip
    accounts = {row["account"]: (row["posted"], row["held"]) for row in dump(engine)["accounts"]}
    assert accounts == {
        "channel:alipay": (10000, 0), WALLET: (-7000, 0), "revenue:main": (-5000, 0), "refunds:main": (2000, 0)
    }  # fmt: skip
    assert one(engine, "payments")["status"] == "received"
    assert one(engine, "risk_cases")["decided_by"] == "staff:anna"
    assert one(engine, "notifications")["status"] == "sent"
    assert one(engine, "deliveries")["how"] == "keys"
    assert one(engine, "staff")["username"] == "anna"
    assert len(dump(engine)["entries"]) == 6
    assert dump(engine)["reserved_numbers"] == []


def test_the_order_of_sources_does_not_matter(tmp_path: Path) -> None:
    recorded = as_recorded(SALE)
    logs: dict[str, list[RecordedEvent]] = defaultdict(list)
    for item in recorded:
        logs[item.source].append(item)
    live = database(f"sqlite:///{tmp_path}/live.db")
    fold(live, recorded, batch=3)
    orders = list(permutations(logs))[:: max(1, 5040 // 12)]
    for number, sources in enumerate(orders):
        rebuilt = database(f"sqlite:///{tmp_path}/rebuilt-{number}.db")
        fold(rebuilt, [item for source in sources for item in logs[source]], batch=7)
        assert dump(rebuilt) == dump(live), sources


def test_what_a_line_costs_us_is_not_for_all_who_see_an_order(engine: sa.Engine) -> None:
    fold(engine, as_recorded([placed(lines=(line(source="supplier", cost=yuan(41)),))]))
    (shown,) = one(engine, "orders")["lines"]
    assert "cost" not in shown


def test_a_late_payment_reopens_an_order(engine: sa.Engine) -> None:
    cancelled = o.OrderCancelled(order_id="o1", customer="c1", reason="unpaid", paid=False, lines=(line(),))
    late = o.PaymentRecorded(order_id="o1", amount=yuan(50), late=True)
    reopened = o.OrderReopened(order_id="o1", lines=(line(),), attempt=2, reserved_until=NOW)
    fold(engine, as_recorded([placed(), cancelled]))
    assert one(engine, "orders")["status"] == "cancelled"
    fold(engine, as_recorded([placed(), cancelled, late, reopened]))
    order = one(engine, "orders")
    assert (order["status"], order["attempt"], order["cancel_reason"]) == ("paid", 2, None)


OPENED = [
    led.PaymentRequested(payment_id="o1", account="order:o1", amount=yuan(50), channel="alipay", order_id="o1"),
    led.PaymentOpened(payment_id="o1", channel_ref="ref", pay_url="https://pay.example/o1"),
]
CLOSING = led.PaymentClosing(payment_id="o1", channel="alipay", order_id="o1")
CLOSED = led.PaymentClosed(payment_id="o1", order_id="o1")
NOT_CLOSED = led.PaymentNotClosed(payment_id="o1", order_id="o1", paid=None, reason="not now")
COME = received(yuan(50)).model_copy(update={"payment_id": "o1", "account": "order:o1", "order_id": "o1"})


@pytest.mark.parametrize(
    ("happened", "status", "reason"),
    [
        ([*OPENED, CLOSING], "closing", None),
        ([OPENED[0], CLOSING, OPENED[1]], "closing", None),
        ([*OPENED, CLOSING, CLOSED], "closed", None),
        ([*OPENED, CLOSING, NOT_CLOSED], "not-closed", "not now"),
        ([*OPENED, CLOSING, NOT_CLOSED, CLOSING, CLOSED], "closed", None),
        ([*OPENED, CLOSING, CLOSED, COME], "received", None),
        ([*OPENED, CLOSING, COME, NOT_CLOSED.model_copy(update={"paid": yuan(50)})], "received", None),
    ],
)
def test_a_payment_that_is_being_closed_shows_no_link(
    engine: sa.Engine, happened: list[Event], status: str, reason: str | None
) -> None:
    fold(engine, as_recorded(happened))
    row = one(engine, "payments")
    assert (row["status"], row["pay_url"], row["reason"]) == (status, None, reason)


def test_a_channel_that_says_failed_of_a_closed_payment_changes_nothing(engine: sa.Engine) -> None:
    failed = led.CallbackRefused(payment_id="o1", channel="alipay", callback_id="cb", reason="failed")
    fold(engine, as_recorded([*OPENED, CLOSING, CLOSED, failed]))
    row = one(engine, "payments")
    assert (row["status"], row["reason"], row["closing"]) == ("closed", None, "closed")


def test_other_money_shows_before_the_closing_that_did_not_help(engine: sa.Engine) -> None:
    other = led.PaymentUnmatched(
        payment_id="o1", item="i1", channel="alipay", channel_ref="ref", callback_id="cb", amount=yuan(49),
        expected=yuan(50), reason="amount-mismatch", order_id="o1", postings=post("channel:a", "suspense:a", yuan(49)),
    )  # fmt: skip
    fold(engine, as_recorded([*OPENED, other, CLOSING, NOT_CLOSED]))
    row = one(engine, "payments")
    assert (row["status"], row["reason"], row["closing"]) == ("unmatched", "amount-mismatch", "not-closed")


ASKED_BACK = led.ReturnRequested(
    payment_id="o1", return_id="r1", amount=yuan(50), channel="alipay", channel_ref="ref", account=None
)
BACK = led.PaymentReturned(
    payment_id="o1", return_id="r1", amount=yuan(50), postings=post("wallet:c1", "channel:a", yuan(50))
)
NOT_BACK = led.ReturnFailed(payment_id="o1", return_id="r1", amount=yuan(50), reason="422")
SAID_FAILED = led.CallbackRefused(payment_id="o1", channel="alipay", callback_id="cb", reason="failed")


def item(name: str, reason: str) -> led.PaymentUnmatched:
    return led.PaymentUnmatched(
        payment_id="o1", item=name, channel="alipay", channel_ref="ref", callback_id="cb", amount=yuan(50),
        expected=yuan(50), reason=reason, order_id="o1", postings=(),
    )  # fmt: skip


def settled(name: str) -> led.UnmatchedSettled:
    fields = {"payment_id": "o1", "item": name, "how": "by-hand", "amount": yuan(50), "note": "n", "order_id": "o1"}
    return led.UnmatchedSettled.model_validate({**fields, "postings": ()})


@pytest.mark.parametrize(
    ("happened", "status", "reason"),
    [
        ([COME, item("i1", "other-reference"), ASKED_BACK, BACK], "returned", "other-reference"),
        ([COME, ASKED_BACK, item("i1", "other-reference"), BACK, settled("i1")], "returned", None),
        ([COME, ASKED_BACK, item("i1", "other-reference"), NOT_BACK], "return-failed", "422"),
        ([COME, ASKED_BACK, item("i1", "other-reference"), NOT_BACK, BACK], "returned", "other-reference"),
        ([COME, item("i1", "paid-twice"), item("i2", "other-reference"), settled("i1")], "received", "other-reference"),
        ([COME, item("i1", "paid-twice"), item("i2", "other-reference"), settled("i2")], "received", "paid-twice"),
        ([item("i1", "amount-mismatch"), item("i2", "wrong-channel"), settled("i2")], "unmatched", "amount-mismatch"),
        ([item("i1", "other-reference"), COME], "received", "other-reference"),
        ([item("i1", "other-reference"), SAID_FAILED], "open", "other-reference"),
        ([item("i1", "other-reference"), CLOSING, CLOSED], "closed", "other-reference"),
        ([item("i1", "other-reference"), CLOSING, NOT_CLOSED], "not-closed", "not now"),
        ([item("i1", "amount-mismatch"), COME, settled("i1")], "received", None),
    ],
)
def test_a_payment_says_what_waits_for_a_person_until_it_is_settled(
    engine: sa.Engine, happened: list[Event], status: str, reason: str | None
) -> None:
    fold(engine, as_recorded([*OPENED, *happened]))
    row = one(engine, "payments")
    assert (row["status"], row["reason"]) == (status, reason)


def test_an_order_shows_that_its_money_did_not_go_back_until_all_of_it_did(engine: sa.Engine) -> None:
    cancelled = o.OrderCancelled(order_id="o1", customer="c1", reason="buyer", paid=False, lines=(line(),))
    delayed = o.RepaymentDelayed(order_id="o1", customer="c1", return_id="hold#rest", amount=yuan(50), reason="422")
    ended = o.RepaymentEnded(
        order_id="o1", customer="c1", return_id="hold#rest", amount=yuan(50), returned=True, waiting=1
    )
    some_waits, none_waits = ended, ended.model_copy(update={"waiting": 0})
    for happened, problem in (([], "return-failed"), ([some_waits], "return-failed"), ([none_waits], None)):
        fold(engine, as_recorded([placed(), cancelled, delayed, *happened]))
        order = one(engine, "orders")
        assert (order["status"], order["refunded"], order["payment_problem"]) == ("cancelled", 0, problem)


def test_an_order_shows_money_that_does_not_fit_until_all_of_it_found_its_place(engine: sa.Engine) -> None:
    differs = o.PaymentDiffers(
        order_id="o1", customer="c1", item="i", amount=yuan(49), expected=yuan(50), reason="amount-mismatch"
    )
    settled = o.PaymentDifferenceSettled(
        order_id="o1", customer="c1", item="i", amount=yuan(49), how="returned", waiting=1
    )
    for happened, problem in (
        ([], "amount-mismatch"),
        ([settled], "amount-mismatch"),
        ([settled.model_copy(update={"waiting": 0})], None),
    ):
        fold(engine, as_recorded([placed(), differs, *happened]))
        assert one(engine, "orders")["payment_problem"] == problem


def test_a_case_ends_and_goes_on_with_its_order(engine: sa.Engine) -> None:
    opened = r.CaseOpened(order_id="o1", amount=yuan(50), reasons=("large",))
    fold(engine, as_recorded([opened, r.CaseClosed(order_id="o1")]))
    assert one(engine, "risk_cases")["status"] == "closed"


@pytest.mark.parametrize("settled", [True, False])
def test_a_faulted_key_leaves_the_place_it_was_in(engine: sa.Engine, settled: bool) -> None:
    happened: list[Event] = [listed(), load(3), reserve(1, 2)]
    if settled:
        happened.append(inv.StockSettled(sku="STEAM-50", order_id="o1", line=1, numbers=(1, 2)))
    happened.append(inv.KeyFaulted(sku="STEAM-50", order_id="o1", number=1, reason="used"))
    fold(engine, as_recorded(happened), batch=2)
    product = one(engine, "products")
    places = (product["available"], product["reserved"], product["sold"], product["faulted"])
    assert places == ((1, 0, 1, 1) if settled else (1, 1, 0, 1))


def test_released_stock_is_available_again(engine: sa.Engine) -> None:
    released = inv.StockReleased(sku="STEAM-50", order_id="o1", line=1, numbers=(1, 2), reason="cancelled")
    fold(engine, as_recorded([listed(), load(3), reserve(1, 2), released]))
    product = one(engine, "products")
    assert (product["available"], product["reserved"]) == (3, 0)


def test_a_partial_capture_frees_the_whole_hold(engine: sa.Engine) -> None:
    captured = led.FundsCaptured(
        order_id="o1",
        account=WALLET,
        amount=yuan(30),
        released=yuan(20),
        postings=post(WALLET, REVENUE, yuan(30)),
    )
    requested = led.PaymentRequested(payment_id="p1", account=WALLET, amount=yuan(100), channel="alipay", order_id=None)
    held = led.FundsHeld(order_id="o1", account=WALLET, amount=yuan(50))
    fold(engine, as_recorded([requested, received(yuan(100)), held, captured]))
    wallet = next(row for row in dump(engine)["accounts"] if row["account"] == WALLET)
    assert (wallet["posted"], wallet["held"]) == (-7000, 0)


def test_a_replacement_is_a_further_line(engine: sa.Engine) -> None:
    requested = o.ReplacementRequested(
        order_id="o1", line=line(2), replaces=1, number=7, reason="used", reserved_until=NOW
    )
    failed = o.ReplacementFailed(order_id="o1", line=2, reason="none left")
    fold(engine, as_recorded([placed(), requested, failed]))
    lines = one(engine, "orders")["lines"]
    assert [(item["line"], item["status"]) for item in lines] == [(1, "waiting"), (2, "failed")]
    assert lines[1]["replaces"] == {"line": 1, "number": 7}


def test_history_tells_no_secrets(engine: sa.Engine) -> None:
    fold(engine, as_recorded(SALE))
    rows = dump(engine)["order_history"]
    assert {row["source"] for row in rows} == {"fulfillment", "inventory", "ledger", "notification", "order", "risk"}
    text = json.dumps(rows, default=str)
    for secret in ("secret-box", "buyer@example.com", "192.0.2.1", "k1.", "li@example.com"):
        assert secret not in text
    delivered = next(row for row in rows if row["event"] == "KeysDelivered")
    assert delivered["summary"]["keys"] == 1


@pytest.mark.parametrize("kind", OF_ORDERS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
def test_history_shows_facts_as_json_would_hold_them(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(messages(kind))
    fields = event.model_dump(mode="json")
    facts = {name: value for name, value in fields.items() if name in SHOWN and value is not None}
    if isinstance(facts.get("line"), dict):
        facts["line"] = fields["line"]["line"]
    if count := len(fields.get("keys") or fields.get("numbers") or ()):
        facts["keys"] = count
    if count := len(fields.get("goods") or ()):
        facts["goods"] = count
    assert summary(event) == facts


def test_no_table_holds_a_sealed_key_but_the_delivery(engine: sa.Engine) -> None:
    fold(engine, as_recorded(SALE))
    holding = [name for name, rows in dump(engine).items() if "secret-box" in repr(rows)]
    assert holding == ["deliveries"]


def test_every_event_of_an_order_is_in_its_history() -> None:
    named = {kind for kind in events().values() if "order_id" in kind.model_fields and kind.owner != "gateway"}
    assert named <= set(FOREIGN_EVENTS)
