"""The ledger service."""

from __future__ import annotations

from pathlib import Path

from services.ledger.adapters import Adapters, build
from services.ledger.adapters.effects import EFFECTS
from services.ledger.domain import entry, hold, payment
from services.ledger.domain.chart import Balance
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


def _known_channels(
    command: RequestPayment, state: payment.Payment, projection: LedgerProjection, adapters: Adapters
) -> payment.Channels:
    return payment.Channels(frozenset(adapters.channels), adapters.ask_within)


def _reference_owner(
    command: RecordCallback | RecordClosing, state: payment.Payment, projection: LedgerProjection, adapters: Adapters
) -> str | None:
    row = projection.references.get(command.channel, command.channel_ref)
    return row["payment_id"] if row else None


def _returnable(
    command: ReturnPayment, state: payment.Payment, projection: LedgerProjection, adapters: Adapters
) -> Money:
    return projection.available(state.account, command.amount.currency)


def _returnable_again(
    command: RetryReturn | RetryRefund | RecordReturnByHand,
    state: payment.Payment,
    projection: LedgerProjection,
    adapters: Adapters,
) -> Money:
    part = state.returns.get(command.return_id)
    if part is None:
        return zero(state.amount.currency)
    return projection.available(part.account or state.account, part.amount.currency)


def _available(command: HoldFunds, state: hold.Hold, projection: LedgerProjection, adapters: Adapters) -> Money:
    return projection.available(command.account, command.amount.currency)


def _owed(command: CreditSupplierClaim, state: hold.Hold, projection: LedgerProjection, adapters: Adapters) -> Money:
    return projection.available(f"supplier:{command.supplier}", command.amount.currency)


def _commission(command: CaptureHold, state: hold.Hold, projection: LedgerProjection, adapters: Adapters) -> int:
    return adapters.commission_basis_points


def _balances(postings: tuple[Posting, ...], projection: LedgerProjection) -> dict[tuple[str, str], Balance]:
    return {key: projection.balance(*key) for key in changes(postings)}


def _balances_of_entry(
    command: PostEntry, state: entry.Entry, projection: LedgerProjection, adapters: Adapters
) -> entry.Balances:
    return _balances(command.postings, projection)


def _balances_of_reversal(
    command: ReverseEntry, state: entry.Entry, projection: LedgerProjection, adapters: Adapters
) -> entry.Balances:
    return _balances(opposite(state.postings), projection)


SERVICE = Service(
    name="ledger",
    aggregates=(
        Aggregate(
            name="payment",
            initial=payment.Payment,
            decide=payment.decide,
            evolve=payment.evolve,
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
                RequestPayment: _known_channels,
                RecordCallback: _reference_owner,
                RecordClosing: _reference_owner,
                ReturnPayment: _returnable,
                RetryReturn: _returnable_again,
                RetryRefund: _returnable_again,
                RecordReturnByHand: _returnable_again,
            },
        ),
        Aggregate(
            name="hold",
            initial=hold.Hold,
            decide=hold.decide,
            evolve=hold.evolve,
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
            load_facts={HoldFunds: _available, CaptureHold: _commission, CreditSupplierClaim: _owed},
        ),
        Aggregate(
            name="entry",
            initial=entry.Entry,
            decide=entry.decide,
            evolve=entry.evolve,
            commands=(PostEntry, ReverseEntry),
            load_facts={PostEntry: _balances_of_entry, ReverseEntry: _balances_of_reversal},
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
