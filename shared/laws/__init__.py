"""What must always hold, whoever runs the services: checked at every event, or of what is left at the end."""

from shared.laws.commands import Ack, ReplyTold, ack_durable, idempotent_same, reject_atomic
from shared.laws.evidence import EvidenceSettled
from shared.laws.finding import Finding, Violation
from shared.laws.known import OrdersKnown
from shared.laws.law import Law
from shared.laws.links import LinksClosed, links_closed
from shared.laws.money import Conserved, HoldsMatch, OneCapture
from shared.laws.orders import PaidTerminal
from shared.laws.outside import (
    ChannelPayment,
    SupplierPurchase,
    SupplierSaid,
    evidence_settled,
    one_capture,
    one_purchase,
    statements_kept,
)
from shared.laws.plaintext import no_plaintext
from shared.laws.purchases import OnePurchase
from shared.laws.rest import accounts_agree, chain_intact, complaints, drained, rebuild_equal
from shared.laws.screening import ScreenedOnly
from shared.laws.stock import KeyOnce, NoOversell
from shared.laws.value import ValueOnce
from shared.laws.watch import EVENT_LAWS, LawChecker, watch

__all__ = [
    "EVENT_LAWS",
    "Ack",
    "ChannelPayment",
    "Conserved",
    "EvidenceSettled",
    "Finding",
    "HoldsMatch",
    "KeyOnce",
    "Law",
    "LawChecker",
    "LinksClosed",
    "NoOversell",
    "OneCapture",
    "OnePurchase",
    "OrdersKnown",
    "PaidTerminal",
    "ReplyTold",
    "ScreenedOnly",
    "SupplierPurchase",
    "SupplierSaid",
    "ValueOnce",
    "Violation",
    "accounts_agree",
    "ack_durable",
    "chain_intact",
    "complaints",
    "drained",
    "evidence_settled",
    "idempotent_same",
    "links_closed",
    "no_plaintext",
    "one_capture",
    "one_purchase",
    "rebuild_equal",
    "reject_atomic",
    "statements_kept",
    "watch",
]
