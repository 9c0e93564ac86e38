"""Opens payments at channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from services.ledger.domain.chart import type_of
from services.ledger.domain.payment import closing, statements
from services.ledger.domain.payment.state import Payment
from shared.contracts import DecisionContext, Event, Refused
from shared.contracts.ledger import (
    PaymentOpened,
    PaymentOpeningFailed,
    PaymentRequested,
    RecordPaymentOpening,
    RequestPayment,
)


@dataclass(frozen=True, slots=True)
class Channels:
    """The names of the configured channels, and how long a channel is asked for a payment."""

    names: frozenset[str]
    ask_within: timedelta


def request(command: RequestPayment, state: Payment, given: DecisionContext) -> list[Event]:
    """Facts: the Channels. Refuses `payment-exists`, and a deposit with `bad-amount`, `unknown-channel` and
    `unknown-account`."""
    channels: Channels = given.facts
    if state.account:
        same = (state.account, state.amount, state.channel, state.order_id)
        if same != (command.account, command.amount, command.channel, command.order_id):
            raise Refused("payment-exists", f"another payment was requested as {command.payment_id}")
        return []
    if command.order_id is None:
        given.shop.check(command.amount.currency)
        _check_deposit(command, channels.names)
    requested = PaymentRequested(
        payment_id=command.payment_id,
        account=command.account,
        amount=command.amount,
        channel=command.channel,
        order_id=command.order_id,
        ask_until=given.now + channels.ask_within,
    )
    return [requested]


def _check_deposit(command: RequestPayment, channels: frozenset[str]) -> None:
    if command.amount.amount <= 0:
        raise Refused("bad-amount", "a deposit must be above zero", status=422)
    if command.channel not in channels:
        raise Refused("unknown-channel", f"no payment channel is called {command.channel}", status=422)
    if not command.account.startswith("wallet:") or type_of(command.account) != "wallet":
        raise Refused("unknown-account", f"{command.account} takes no deposits", status=422)


def record(command: RecordPaymentOpening, state: Payment) -> list[Event]:
    """Record the channel's answer, once. A later answer counts only if its reference differs from that of the payment.

    A failed opening of a payment that is being closed is ignored. A payment that opens after it was closed is closed
    again.
    """
    if state.status == "received" and command.opened and command.channel_ref != state.channel_ref:
        return [*statements.opened_otherwise(command.payment_id, command.channel_ref, state.callback_id, state)]
    if state.status != "requested" or (state.closing and not command.opened):
        return []
    if not command.opened:
        return [PaymentOpeningFailed(payment_id=command.payment_id, reason=command.reason)]
    opened = PaymentOpened(payment_id=command.payment_id, channel_ref=command.channel_ref, pay_url=command.pay_url)
    if state.closing in ("", "asked"):
        return [opened]
    return [opened, closing.asked(command.payment_id, state)]
