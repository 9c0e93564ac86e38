"""Amounts of money in tests: `yuan` whole ones, `minor` in minor units (fen, cents, whole yen)."""

from __future__ import annotations

from shared.contracts import Money


def minor(amount: int, currency: str = "CNY") -> Money:
    return Money(amount=amount, currency=currency)


def yuan(amount: int) -> Money:
    return minor(100 * amount)
