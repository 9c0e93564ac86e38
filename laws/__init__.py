"""The shop's laws: checked at every event, or against the end state of a run."""

from collections.abc import Callable, Sequence

from laws.evidence import EvidenceSettled
from laws.known import OrdersKnown
from laws.links import LinksClosed, links_closed
from laws.money import Conserved, HoldsMatch, OneCapture, accounts_agree
from laws.orders import PaidTerminal
from laws.partners import (
    ChannelPayment,
    SupplierPurchase,
    SupplierSaid,
    evidence_settled,
    one_capture,
    one_purchase,
    statements_kept,
)
from laws.purchases import OnePurchase
from laws.screening import ScreenedOnly
from laws.stock import KeyOnce, NoOversell
from laws.value import ValueOnce
from shared.laws import Law, LawChecker, Violation

# When one event breaks several laws, the first in this order describes the cause best.
EVENT_LAWS: Sequence[type[Law]] = (
    NoOversell,
    KeyOnce,
    OneCapture,
    OnePurchase,
    Conserved,
    HoldsMatch,
    PaidTerminal,
    ScreenedOnly,
    ValueOnce,
    EvidenceSettled,
    LinksClosed,
)


def watch(on_violation: Callable[[Violation], None] | None = None) -> LawChecker:
    """A LawChecker of all these laws."""
    return LawChecker(EVENT_LAWS, on_violation)


__all__ = [
    "EVENT_LAWS",
    "ChannelPayment",
    "Conserved",
    "EvidenceSettled",
    "HoldsMatch",
    "KeyOnce",
    "LinksClosed",
    "NoOversell",
    "OneCapture",
    "OnePurchase",
    "OrdersKnown",
    "PaidTerminal",
    "ScreenedOnly",
    "SupplierPurchase",
    "SupplierSaid",
    "ValueOnce",
    "accounts_agree",
    "evidence_settled",
    "links_closed",
    "one_capture",
    "one_purchase",
    "statements_kept",
    "watch",
]
