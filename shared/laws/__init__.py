"""What must always hold, whoever runs the services: checked at every event, or of what is left at the end."""

from shared.laws.commands import Ack, Told, ack_durable, idempotent_same, reject_atomic
from shared.laws.finding import Finding, Violation
from shared.laws.law import Law
from shared.laws.money import Conserved, HoldsMatch, OneCapture
from shared.laws.orders import PaidTerminal
from shared.laws.outside import ChannelPayment, SupplierPurchase, one_capture, one_purchase
from shared.laws.plaintext import no_plaintext
from shared.laws.purchases import OnePurchase
from shared.laws.rest import accounts_agree, chain_intact, complaints, drained, rebuild_equal
from shared.laws.stock import KeyOnce, NoOversell
from shared.laws.watch import EVENT_LAWS, Watch, watch

__all__ = [
    "EVENT_LAWS",
    "Ack",
    "ChannelPayment",
    "Conserved",
    "Finding",
    "HoldsMatch",
    "KeyOnce",
    "Law",
    "NoOversell",
    "OneCapture",
    "OnePurchase",
    "PaidTerminal",
    "SupplierPurchase",
    "Told",
    "Violation",
    "Watch",
    "accounts_agree",
    "ack_durable",
    "chain_intact",
    "complaints",
    "drained",
    "idempotent_same",
    "no_plaintext",
    "one_capture",
    "one_purchase",
    "rebuild_equal",
    "reject_atomic",
    "watch",
]
