"""Unmatched money as staff see it."""

from __future__ import annotations

from typing import Any

from services.gateway.http.answers import Answer
from shared.contracts import Money
from shared.readside.batched_query import Row


class UnmatchedItem(Answer):
    """Unmatched money. `expected` is the amount of the payment; null when the payment is unknown."""

    item: str
    payment_id: str
    order_id: str | None
    channel: str
    channel_ref: str
    reason: str
    booked: bool
    status: str
    how: str | None
    note: str | None
    amount: Money
    expected: Money | None
    opened_at: str
    settled_at: str | None


def rendered_item(row: Row) -> dict[str, Any]:
    names = ("item", "payment_id", "order_id", "channel", "channel_ref", "reason", "booked", "status", "how", "note")
    expected = {"amount": row["expected"], "currency": row["expected_currency"]}
    return {
        **{name: row[name] for name in names},
        "amount": {"amount": row["amount"], "currency": row["currency"]},
        "expected": expected if row["expected"] is not None else None,
        "opened_at": row["opened_at"],
        "settled_at": row["settled_at"],
    }
