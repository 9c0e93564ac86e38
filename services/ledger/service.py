"""Declares the ledger service."""

from __future__ import annotations

from pathlib import Path

from services.ledger.adapters import Adapters, build
from services.ledger.adapters.effects import EFFECTS
from services.ledger.domain import (
    Entry,
    Hold,
    Payment,
    decide_entry,
    decide_hold,
    decide_payment,
    evolve_entry,
    evolve_hold,
    evolve_payment,
)
from services.ledger.domain.chart import Balance
from services.ledger.domain.entry import Balances
from services.ledger.domain.payment import Channels
from services.ledger.domain.postings import changes, opposite
from services.ledger.metrics import COUNTERS, gauges
from services.ledger.projection import LedgerProjection
from services.ledger.reactions import PLANS, REACTIONS
from services.ledger.settings import LedgerSettings
from shared.contracts import Money, zero
from shared.contracts.ledger import (
    CaptureHold,
    ClosePayment,
    CreditSupplierClaim,
    GiveBackPayment,
    HoldFunds,
    MatchPayment,
    MoveSupplierClaim,
    PostEntry,
    Posting,
    PostSupplierBill,
    PostSupplierCost,
    RecordCallback,
    RecordClosing,
    RecordPaymentOpening,
    RecordReturn,
    RecordReturnByHand,
    RefundCapture,
    RequestPayment,
    RetryRefund,
    RetryReturn,
    ReturnPayment,
    ReverseEntry,
    SettlePayment,
    StopPayment,
    VoidHold,
)
from shared.runtime.service import Aggregate, Service


def find_channels(
    command: RequestPayment, state: Payment, projection: LedgerProjection, adapters: Adapters
) -> Channels:
    """The configured channels, and how long they are asked."""
    return Channels(frozenset(adapters.channels), adapters.ask_within)


def find_payment_of_reference(
    command: RecordCallback | RecordClosing, state: Payment, projection: LedgerProjection, adapters: Adapters
) -> str | None:
    row = projection.references.get(command.channel, command.channel_ref)
    return row["payment_id"] if row else None


def find_available_for_return(
    command: ReturnPayment, state: Payment, projection: LedgerProjection, adapters: Adapters
) -> Money:
    return projection.available(state.account, command.amount.currency)


def find_available_for_retry(
    command: RetryReturn | RetryRefund | RecordReturnByHand,
    state: Payment,
    projection: LedgerProjection,
    adapters: Adapters,
) -> Money:
    part = state.returns.get(command.return_id)
    if part is None:
        return zero(state.amount.currency)
    return projection.available(part.account or state.account, part.amount.currency)


def find_available_for_hold(command: HoldFunds, state: Hold, projection: LedgerProjection, adapters: Adapters) -> Money:
    return projection.available(command.account, command.amount.currency)


def find_owed_to_supplier(
    command: CreditSupplierClaim, state: Hold, projection: LedgerProjection, adapters: Adapters
) -> Money:
    return projection.available(f"supplier:{command.supplier}", command.amount.currency)


def find_commission(command: CaptureHold, state: Hold, projection: LedgerProjection, adapters: Adapters) -> int:
    return adapters.commission_basis_points


def _balances(postings: tuple[Posting, ...], projection: LedgerProjection) -> dict[tuple[str, str], Balance]:
    return {key: projection.balance(*key) for key in changes(postings)}


def find_balances_of_entry(
    command: PostEntry, state: Entry, projection: LedgerProjection, adapters: Adapters
) -> Balances:
    return _balances(command.postings, projection)


def find_balances_of_reversal(
    command: ReverseEntry, state: Entry, projection: LedgerProjection, adapters: Adapters
) -> Balances:
    return _balances(opposite(state.postings), projection)


SERVICE = Service(
    name="ledger",
    aggregates=(
        Aggregate(
            name="payment",
            initial=Payment,
            decide=decide_payment,
            evolve=evolve_payment,
            commands=(
                RequestPayment,
                RecordPaymentOpening,
                RecordCallback,
                ReturnPayment,
                RetryReturn,
                RetryRefund,
                RecordReturn,
                RecordReturnByHand,
                MatchPayment,
                GiveBackPayment,
                SettlePayment,
                ClosePayment,
                StopPayment,
                RecordClosing,
            ),
            load_facts={
                RequestPayment: find_channels,
                RecordCallback: find_payment_of_reference,
                RecordClosing: find_payment_of_reference,
                ReturnPayment: find_available_for_return,
                RetryReturn: find_available_for_retry,
                RetryRefund: find_available_for_retry,
                RecordReturnByHand: find_available_for_retry,
            },
        ),
        Aggregate(
            name="hold",
            initial=Hold,
            decide=decide_hold,
            evolve=evolve_hold,
            commands=(
                HoldFunds,
                CaptureHold,
                VoidHold,
                RefundCapture,
                PostSupplierCost,
                PostSupplierBill,
                MoveSupplierClaim,
                CreditSupplierClaim,
            ),
            load_facts={
                HoldFunds: find_available_for_hold,
                CaptureHold: find_commission,
                CreditSupplierClaim: find_owed_to_supplier,
            },
        ),
        Aggregate(
            name="entry",
            initial=Entry,
            decide=decide_entry,
            evolve=evolve_entry,
            commands=(PostEntry, ReverseEntry),
            load_facts={PostEntry: find_balances_of_entry, ReverseEntry: find_balances_of_reversal},
        ),
    ),
    projection=LedgerProjection,
    reactions=REACTIONS,
    plans=PLANS,
    effects=EFFECTS,
    adapters=build,
    counters=COUNTERS,
    gauges=gauges,
    partners=lambda settings: settings.channels,
    settings=LedgerSettings,
    migrations=Path(__file__).with_name("migrations"),
)
