"""Whatever is asked, in whatever order, the books stay right."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.chart import is_guarded
from services.ledger.domain.hold import Hold
from services.ledger.domain.payment import Payment
from services.ledger.domain.postings import totals
from services.ledger.domain.trial import trial_balance
from services.ledger.projection import accounts
from services.ledger.service import SERVICE
from shared.contracts import Command, Money, Refused
from shared.contracts.ledger import (
    CaptureHold,
    FundsCaptured,
    FundsRefunded,
    HoldFunds,
    PaymentReceived,
    PaymentReturned,
    PostEntry,
    PostSupplierCost,
    RecordCallback,
    RecordPaymentOpening,
    RecordReturn,
    RecordReturnByHand,
    RefundCapture,
    RequestPayment,
    ReturnPayment,
    ReverseEntry,
    VoidHold,
)
from tests.ledger.builders import Books, InMemory, posting

orders = st.sampled_from(["o-1", "o-2"])
payments = st.sampled_from(["o-1", "o-2", "p-1"])
wallets = st.sampled_from(["wallet:alice", "wallet:bob"])
payers = st.one_of(wallets, st.sampled_from(["order:o-1", "order:o-2"]))
ids = st.sampled_from(["x-1", "x-2", "hold#rest"])
money = st.builds(lambda amount: Money(amount=amount), st.integers(1, 40))


@st.composite
def entries(draw: st.DrawFn) -> PostEntry:
    debit, credit = draw(st.one_of(payers, st.just("channel:bank"))), draw(st.one_of(payers, st.just("supplier:acme")))
    amount = draw(st.integers(1, 60))
    postings = (posting(debit, amount), posting(credit, -amount))
    return PostEntry(entry_id=draw(ids), postings=postings, note="")


@st.composite
def order_payments(draw: st.DrawFn) -> RequestPayment:
    order = draw(orders)
    return RequestPayment(
        payment_id=order, account=f"order:{order}", amount=draw(money), channel="wechat", order_id=order
    )


commands = st.one_of(
    entries(),
    st.builds(ReverseEntry, entry_id=ids, note=st.just("")),
    order_payments(),
    st.builds(RequestPayment, payment_id=st.just("p-1"), account=wallets, amount=money, channel=st.just("wechat")),
    st.builds(
        RecordPaymentOpening, payment_id=payments, opened=st.booleans(), channel_ref=st.sampled_from(["r-1", "r-2"])
    ),
    st.builds(
        RecordCallback,
        payment_id=payments,
        channel=st.just("wechat"),
        callback_id=ids,
        channel_ref=st.sampled_from(["r-1", "r-2"]),
        amount=money,
        status=st.just("paid"),
        authentic=st.booleans(),
    ),
    st.builds(ReturnPayment, payment_id=payments, return_id=ids, amount=money),
    st.builds(
        RecordReturn, payment_id=payments, return_id=ids, returned=st.booleans(), paid=st.one_of(st.none(), money)
    ),
    st.builds(RecordReturnByHand, payment_id=payments, return_id=ids, note=st.just("")),
    st.builds(HoldFunds, order_id=orders, account=payers, amount=money),
    st.builds(CaptureHold, order_id=orders, amount=money, agent=st.sampled_from([None, "carol"])),
    st.builds(VoidHold, order_id=orders, reason=st.just("")),
    st.builds(RefundCapture, order_id=orders, refund_id=ids, amount=money),
    st.builds(PostSupplierCost, order_id=orders, line=st.integers(1, 2), supplier=st.just("acme"), cost=money),
)


def honest_callbacks(books: Books, command: Command) -> Command:
    """Random amounts would hardly ever match: let callbacks mostly tell the truth."""
    if isinstance(command, RecordCallback) and command.callback_id != "x-2":
        state = books.states.get(f"payment-{command.payment_id}", Payment())
        return command.model_copy(update={"amount": state.amount})
    return command


def kept(books: Books, command: Command) -> None:
    """Do it or be refused: a reaction's refusal would surface here as well, after its cause was folded."""
    before = len(books.log)
    try:
        books.do(honest_callbacks(books, command))
    except (Refused, ValueError):
        assert len(books.log) == before


def every_entry_balances(books: Books) -> None:
    for recorded in books.log:
        assert not any(totals(getattr(recorded.event, "postings", ())).values())
    books.projection.flush()
    assert trial_balance(dict(row) for row in books.memory.connection.execute(sa.select(accounts)).mappings()).balanced


def nobody_is_overdrawn(books: Books) -> None:
    for row in books.memory.connection.execute(sa.select(accounts)):
        assert row.held >= 0
        if is_guarded(row.account) and row.type != "commission":
            assert -row.posted >= row.held, row


def held_is_what_is_open(books: Books) -> None:
    open_: dict[str, int] = defaultdict(int)
    for state in books.states.values():
        if isinstance(state, Hold) and state.status == "held":
            open_[state.account] += state.amount.amount
        if isinstance(state, Payment):
            open_[state.account] += sum(r.amount.amount for r in state.returns.values() if r.status == "requested")
    held = {row.account: row.held for row in books.memory.connection.execute(sa.select(accounts)) if row.held}
    assert held == {account: amount for account, amount in open_.items() if amount}


def nothing_happens_twice(books: Books) -> None:
    captured, received = books.events(FundsCaptured), books.events(PaymentReceived)
    assert len({e.partition_key() for e in captured}) == len(captured)
    assert len({e.partition_key() for e in received}) == len(received)
    left: dict[tuple[str, str], int] = defaultdict(int)
    for recorded in books.log:
        match recorded.event:
            case FundsCaptured(order_id=key, amount=amount):
                left["refund", key] += amount.amount
            case PaymentReceived(payment_id=key, amount=amount):
                left["return", key] += amount.amount
            case FundsRefunded(order_id=key, amount=amount):
                left["refund", key] -= amount.amount
            case PaymentReturned(payment_id=key, amount=amount):
                left["return", key] -= amount.amount
    assert all(amount >= 0 for amount in left.values())


@settings(max_examples=80)
@given(st.lists(commands, min_size=5, max_size=40))
def test_the_books_stay_right(sequence: list[Command]):
    books = Books()
    for command in sequence:
        kept(books, command)
        every_entry_balances(books)
        nobody_is_overdrawn(books)
        held_is_what_is_open(books)
        nothing_happens_twice(books)


@settings(max_examples=40)
@given(st.lists(commands, min_size=5, max_size=40))
def test_rebuilt_tables_and_states_equal_the_live_ones(sequence: list[Command]):
    books = Books()
    for command in sequence:
        kept(books, command)
    again, states = InMemory.fresh(), {}
    aggregates = {aggregate.name: aggregate for aggregate in SERVICE.aggregates}
    for recorded in books.log:
        again.projection.apply(recorded.event, recorded)
        aggregate = aggregates[recorded.stream.partition("-")[0]]
        states[recorded.stream] = aggregate.evolve(states.get(recorded.stream, aggregate.initial()), recorded.event)
    assert again.dump() == books.memory.dump()
    assert states == books.states


@settings(max_examples=40)
@given(st.lists(commands, min_size=5, max_size=30))
def test_internal_commands_repeated_change_nothing(sequence: list[Command]):
    books = Books()
    for command in sequence:
        if isinstance(command, RecordCallback | PostEntry | ReverseEntry | RequestPayment):
            kept(books, command)
            continue
        kept(books, command)
        before = len(books.log)
        kept(books, command)
        assert len(books.log) == before
