"""Laws: invariants that are checked against logs event by event, and those that hold for every service."""

from shared.laws.checker import LawChecker
from shared.laws.commands import Ack, ReceivedReply, ack_durable, idempotent_same, reject_atomic
from shared.laws.finding import Finding, Violation
from shared.laws.law import Law
from shared.laws.plaintext import no_plaintext
from shared.laws.rest import chain_intact, complaints, drained, rebuild_equal

__all__ = [
    "Ack",
    "Finding",
    "Law",
    "LawChecker",
    "ReceivedReply",
    "Violation",
    "ack_durable",
    "chain_intact",
    "complaints",
    "drained",
    "idempotent_same",
    "no_plaintext",
    "rebuild_equal",
    "reject_atomic",
]
