"""The rules of money. The three aggregates are payments, the holds of orders, and manual entries."""

from services.ledger.domain.entry import Entry, decide_entry, evolve_entry
from services.ledger.domain.hold import Hold, decide_hold, evolve_hold
from services.ledger.domain.payment import Payment, decide_payment, evolve_payment

__all__ = [
    "Entry",
    "Hold",
    "Payment",
    "decide_entry",
    "decide_hold",
    "decide_payment",
    "evolve_entry",
    "evolve_hold",
    "evolve_payment",
]
