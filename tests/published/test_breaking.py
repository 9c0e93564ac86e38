"""Contracts broken on purpose, and what is said to it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, Field

from shared.contracts import Message, Money, Value
from shared.contracts.base import Doc, Id, Quantity, Text
from shared.contracts.fields import Line, Sku
from shared.contracts.gateway import ImportCompleted
from shared.contracts.inventory import ProductListed, StockShort
from shared.contracts.ledger import EntryPosted, Posting
from shared.contracts.order import OrderCancelled, OrderLine, OrderPlaced
from tests.published.builders import altered, compared, compared_files, files

SUBSCRIBERS, LOG = "a subscriber that was written for", "what was recorded before"
Reason = Literal[
    "unpaid", "insufficient-funds", "short-stock", "blocked", "buyer", "staff", "no-answer", "expired", "fraud"
]
FewerReasons = Literal["unpaid", "insufficient-funds", "short-stock", "blocked", "buyer", "staff", "no-answer"]


class ShortLine(Value):
    line: Line
    sku: Sku


class LooserLine(OrderLine):
    quantity: Annotated[int, Field(strict=True, ge=1, le=20_000), Doc("How many pieces.", 2)] = 1


def with_colour(cls: type[Message], **options: Any) -> type[Message]:
    return altered(cls, colour=(Annotated[Text, Doc("Its colour.", "red")], Field(**options)))


BREAKS = {
    "removed": (OrderPlaced, altered(OrderPlaced, without="email"), "email: the field is gone", SUBSCRIBERS),
    "renamed": (
        StockShort,
        altered(StockShort, without="available", left=(Annotated[int, Doc("How many pieces are left.", 3)], ...)),
        "available: the field is gone",
        SUBSCRIBERS,
    ),
    "retyped": (
        StockShort,
        altered(StockShort, line=(str, ...)),
        'line: type was "integer", is "string"',
        SUBSCRIBERS,
    ),
    "another format": (
        OrderPlaced,
        altered(OrderPlaced, email=(AwareDatetime, ...)),
        'email: format was nothing, is "date-time"',
        SUBSCRIBERS,
    ),
    "optional": (OrderPlaced, altered(OrderPlaced, ip=(Text, "")), "ip: it may be missing now", SUBSCRIBERS),
    "nullable": (OrderPlaced, altered(OrderPlaced, ip=(Text | None, ...)), "ip: it may be null now", SUBSCRIBERS),
    "nullable part": (
        OrderPlaced,
        altered(OrderPlaced, total=(Money | None, ...)),
        "total: it may be null now",
        SUBSCRIBERS,
    ),
    "new value": (
        OrderCancelled,
        altered(OrderCancelled, reason=(Reason, ...)),
        'reason: "fraud" is a new value',
        SUBSCRIBERS,
    ),
    "any value": (
        OrderCancelled,
        altered(OrderCancelled, reason=(str, ...)),
        "reason: any value is allowed now",
        SUBSCRIBERS,
    ),
    "new kind of value": (
        ImportCompleted,
        altered(ImportCompleted, fates=(dict[str, int | str], ...)),
        'fates{}: type was "integer", is nothing',
        SUBSCRIBERS,
    ),
    "another default": (
        OrderCancelled,
        altered(OrderCancelled, locale=(Literal["zh", "en"], "en")),
        'locale: when it is missing it meant "zh", now "en"',
        SUBSCRIBERS,
    ),
    "longer": (
        OrderPlaced,
        altered(OrderPlaced, ip=(Annotated[str, Field(max_length=900)], ...)),
        "ip: maxLength was 500, is 900",
        SUBSCRIBERS,
    ),
    "any length": (OrderPlaced, altered(OrderPlaced, ip=(str, ...)), "ip: maxLength was 500, is nothing", SUBSCRIBERS),
    "another pattern": (
        StockShort,
        altered(StockShort, order_id=(Annotated[str, Field(min_length=1, max_length=80, pattern="^.+$")], ...)),
        "order_id: pattern was ",
        SUBSCRIBERS,
    ),
    "fewer items": (
        EntryPosted,
        altered(EntryPosted, postings=(tuple[Posting, ...], ...)),
        "postings: minItems was 2, is nothing",
        SUBSCRIBERS,
    ),
    "no list": (
        OrderPlaced,
        altered(OrderPlaced, lines=(OrderLine, ...)),
        'lines: type was "array", is "object"',
        SUBSCRIBERS,
    ),
    "inside a part": (
        OrderPlaced,
        altered(OrderPlaced, lines=(tuple[LooserLine, ...], ...)),
        "lines[].quantity: it may be missing now",
        SUBSCRIBERS,
    ),
    "bound inside a part": (
        OrderPlaced,
        altered(OrderPlaced, lines=(tuple[LooserLine, ...], ...)),
        "lines[].quantity: maximum was 10000, is 20000",
        SUBSCRIBERS,
    ),
    "field of a part": (
        OrderPlaced,
        altered(OrderPlaced, lines=(tuple[ShortLine, ...], ...)),
        "lines[].unit_price: the field is gone",
        SUBSCRIBERS,
    ),
    "another key": (
        StockShort,
        altered(StockShort, key="order_id"),
        "the partition key was sku, is order_id",
        SUBSCRIBERS,
    ),
    "needed": (ProductListed, lambda: with_colour(ProductListed), "colour: a new field without a default", LOG),
    "shorter": (
        OrderPlaced,
        altered(OrderPlaced, ip=(Annotated[str, Field(max_length=40)], ...)),
        "ip: maxLength was 500, is 40",
        LOG,
    ),
    "bounded": (
        StockShort,
        altered(StockShort, quantity=(Quantity, ...)),
        "quantity: minimum was nothing, is 1",
        LOG,
    ),
    "fewer values": (
        OrderCancelled,
        altered(OrderCancelled, reason=(FewerReasons, ...)),
        'reason: "expired" is no value any more',
        LOG,
    ),
    "not null": (
        OrderPlaced,
        altered(OrderPlaced, customer=(Id, ...)),
        "customer: it may not be null any more",
        LOG,
    ),
    "not missing": (
        OrderCancelled,
        altered(OrderCancelled, note=(Text, ...)),
        "note: it may not be missing any more",
        LOG,
    ),
}


@pytest.mark.parametrize("case", BREAKS)
def test_what_breaks_a_contract_is_named_and_what_to_do(case: str) -> None:
    before, after, what, whom = BREAKS[case]
    if not isinstance(after, type):
        after = after()

    found = compared([before], [after])

    (fault,) = found.breaking
    assert f"{before.owner}.{before.__name__}.v1, as subscribers know it, is broken:" in fault
    line = next(line for line in fault.splitlines() if line.startswith(f"  - {what}"))
    assert whom in fault.splitlines()[fault.splitlines().index(line) + 1]
    for step in (
        f"in shared/contracts/{before.owner}.py",
        f'class {before.__name__}V1(Former, of="{before.__name__}", key=…, version=1)',
        f"class {before.__name__}(Event, key=…, version=2)",
        f'@upcaster("{before.__name__}", 1)',
        f'@downcaster("{before.__name__}", 2, until=date(…))',
        "docs/events/changing.md",
    ):
        assert step in fault


def test_an_event_that_is_gone_breaks() -> None:
    (fault,) = compared([OrderPlaced, StockShort], [OrderPlaced]).breaking

    assert "inventory.StockShort.v1" in fault
    assert "the contracts do not know it any more" in fault


def test_another_owner_breaks() -> None:
    moved = type("StockShort", (altered(StockShort),), {"owner": "order", "__doc__": StockShort.__doc__})

    assert "the contracts do not know it" in compared([StockShort], [moved]).breaking[0]


def test_what_is_new_is_harmless() -> None:
    found = compared([OrderPlaced], [OrderPlaced, with_colour(StockShort, default="")])

    assert found.breaking == []
    assert found.harmless == ["inventory.StockShort.v1: it is new"]


def test_a_further_optional_field_is_harmless() -> None:
    found = compared([StockShort], [with_colour(StockShort, default="")])

    assert found.breaking == []
    assert found.harmless == ["inventory.StockShort.v1: colour: a new field"]
    assert "schemas/inventory.StockShort.v1.json" in found.stale


def test_other_words_are_harmless() -> None:
    other = altered(StockShort, order_id=(Annotated[Id, Doc("The order, in other words.", "77")], ...))

    found = compared_files(files(StockShort), files(other))

    assert found.breaking == found.harmless == []
    assert len(found.stale) == 4


@pytest.mark.parametrize("folder", ["schemas", "examples"])
def test_what_was_deleted_by_hand_is_missed(folder: str) -> None:
    after = files(StockShort)
    before = {path: text for path, text in after.items() if not path.startswith(folder)}

    (fault,) = compared_files(before, after).breaking

    assert f"{folder}/inventory.StockShort.v1.json is gone" in fault


@pytest.mark.parametrize(
    ("header", "value", "fault"),
    [
        ("ce-sequence", None, "ce-sequence: the header is gone"),
        ("ce-sequence", "42", "its sequence was 20 digits, is 2 digits"),
        ("ce-subject", "stock-GAME-100", "its subject was product-<key>, is stock-<key>"),
        ("ce-source", "/other", "its source was /kameng/inventory, is /other"),
    ],
)
def test_another_envelope_breaks(header: str, value: str | None, fault: str) -> None:
    before = files(StockShort)
    path = "examples/inventory.StockShort.v1.json"
    message = json.loads(before[path])
    message["headers"].pop(header)
    if value is not None:
        message["headers"][header] = value

    found = compared_files(before, before | {path: json.dumps(message)})

    assert f"  - {fault}" in found.breaking[0]


def test_a_further_header_is_harmless() -> None:
    before = files(StockShort)
    path = "examples/inventory.StockShort.v1.json"
    message = json.loads(before[path])
    message["headers"]["ce-traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    found = compared_files(before, before | {path: json.dumps(message)})

    assert (found.breaking, found.harmless) == ([], ["inventory.StockShort.v1: ce-traceparent: a new header"])


def test_a_header_that_need_not_be_there_may_go() -> None:
    before = files(StockShort)
    path = "examples/inventory.StockShort.v1.json"
    message = json.loads(before[path])
    message["headers"]["ce-versions"] = "1 2"

    assert compared_files(before | {path: json.dumps(message)}, before).breaking == []
