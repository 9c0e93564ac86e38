"""The ledger service."""

from __future__ import annotations

from pathlib import Path

from services.ledger.adapters import Outside, build
from services.ledger.adapters.effects import EFFECTS
from services.ledger.domain import entry, hold, payment
from services.ledger.domain.chart import Balance
from services.ledger.domain.postings import changes, opposite
from services.ledger.metrics import COUNTERS, gauges
from services.ledger.reactions import PLANS, REACTIONS
from services.ledger.settings import LedgerSettings
from services.ledger.tables import LedgerTables
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
    command: RequestPayment, state: payment.Payment, tables: LedgerTables, outside: Outside
) -> payment.Channels:
    return payment.Channels(frozenset(outside.channels), outside.ask_within)


def _reference_owner(
    command: RecordCallback | RecordClosing, state: payment.Payment, tables: LedgerTables, outside: Outside
) -> str | None:
    row = tables.references.get(command.channel, command.channel_ref)
    return row["payment_id"] if row else None


def _returnable(command: ReturnPayment, state: payment.Payment, tables: LedgerTables, outside: Outside) -> Money:
    return tables.available(state.account, command.amount.currency)


def _returnable_again(
    command: RetryReturn | RetryRefund | RecordReturnByHand,
    state: payment.Payment,
    tables: LedgerTables,
    outside: Outside,
) -> Money:
    part = state.returns.get(command.return_id)
    if part is None:
        return zero(state.amount.currency)
    return tables.available(part.account or state.account, part.amount.currency)


def _available(command: HoldFunds, state: hold.Hold, tables: LedgerTables, outside: Outside) -> Money:
    return tables.available(command.account, command.amount.currency)


def _owed(command: CreditSupplierClaim, state: hold.Hold, tables: LedgerTables, outside: Outside) -> Money:
    return tables.available(f"supplier:{command.supplier}", command.amount.currency)


def _commission(command: CaptureHold, state: hold.Hold, tables: LedgerTables, outside: Outside) -> int:
    return outside.commission_basis_points


def _balances(postings: tuple[Posting, ...], tables: LedgerTables) -> dict[tuple[str, str], Balance]:
    return {key: tables.balance(*key) for key in changes(postings)}


def _balances_of_entry(
    command: PostEntry, state: entry.Entry, tables: LedgerTables, outside: Outside
) -> entry.Balances:
    return _balances(command.postings, tables)


def _balances_of_reversal(
    command: ReverseEntry, state: entry.Entry, tables: LedgerTables, outside: Outside
) -> entry.Balances:
    return _balances(opposite(state.postings), tables)


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
            look={
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
            look={HoldFunds: _available, CaptureHold: _commission, CreditSupplierClaim: _owed},
        ),
        Aggregate(
            name="entry",
            initial=entry.Entry,
            decide=entry.decide,
            evolve=entry.evolve,
            commands=(PostEntry, ReverseEntry),
            look={PostEntry: _balances_of_entry, ReverseEntry: _balances_of_reversal},
        ),
    ),
    tables=LedgerTables,
    reactions=REACTIONS,
    plans=PLANS,
    effects=EFFECTS,
    outside=build,
    counters=COUNTERS,
    gauges=gauges,
    partners=lambda settings: settings.channels,
    settings=LedgerSettings,
    migrations=Path(__file__).with_name("migrations"),
)
