# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""Common."""

from __future__ import annotations

from kameng_subscriber.models import Model

__all__ = ["Money"]


class Money(Model):
    """An amount in integer minor units (fen, cents) of one ISO 4217 currency."""

    amount: int
    currency: str = "CNY"
