"""Delivery from stock: sealed keys, which are opened only after the order is confirmed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.fulfillment.domain.state import Delivery, Taken
from shared.contracts import Command, Event
from shared.contracts.fulfillment import (
    DeliverLine,
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryRequested,
    KeysDelivered,
    KeysTaken,
    TakeKeys,
)
from shared.contracts.inventory import ReservedKey
from shared.contracts.order import OrderLine

UNOPENED = "keys could not be opened"
DELIVERED_BEFORE = "key already delivered"
SUPPLIED_TOO = "a supplier sent the text of the key"
MISFIT = "the reserved keys are not what was sold"


@dataclass(frozen=True)
class Opening:
    """Keys to deliver: a confirmed line, and the keys that were reserved for it in the same attempt."""

    delivery_id: str
    order_id: str
    line: OrderLine
    sku: str
    keys: tuple[ReservedKey, ...]
    buyer_key: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(key.number for key in self.keys)

    @property
    def fits(self) -> bool:
        """Whether these are as many different keys of the SKU as were sold."""
        return self.sku == self.line.sku and len(set(self.numbers)) == len(self.keys) == self.line.quantity


@dataclass(frozen=True)
class Opened:
    """The keys, sealed to the buyer. Or, with nothing sealed, the numbers of the keys that prevented the delivery."""

    envelope: str = ""
    unopened: tuple[int, ...] = ()
    delivered_before: tuple[int, ...] = ()
    supplied: tuple[int, ...] = ()


def keys_to_open(command: Command, state: Delivery) -> Opening | None:
    """The keys that this command delivers. None means that no box may be opened."""
    opening = _due(command, state)
    return opening if opening is not None and opening.fits else None


def _due(command: Command, state: Delivery) -> Opening | None:
    match command, state:
        case TakeKeys(), Delivery(phase="requested", line=OrderLine(source="keys") as line):
            if command.attempt == state.attempt and _newer(command, state):
                return Opening(command.delivery_id, command.order_id, line, command.sku, command.keys, state.buyer_key)
        case DeliverLine(line=OrderLine(source="keys")), Delivery(phase="expected", taken=Taken() as taken):
            if command.attempt == taken.attempt:
                return Opening(
                    command.delivery_id, command.order_id, command.line, taken.sku, taken.keys, command.buyer_key
                )
        case _:
            pass
    return None


def _newer(command: TakeKeys, state: Delivery) -> bool:
    return command.attempt > (state.taken.attempt if state.taken else 0) and command.attempt >= state.attempt


def take(command: TakeKeys, state: Delivery, opened: Opened | None) -> list[Event]:
    """Keep the keys of the newest attempt, and deliver them if the order is already confirmed."""
    if state.phase not in ("expected", "requested") or not _newer(command, state):
        return []
    taken = KeysTaken(
        delivery_id=command.delivery_id,
        order_id=command.order_id,
        line=command.line,
        attempt=command.attempt,
        sku=command.sku,
        keys=command.keys,
    )
    return [taken, *_delivered(_due(command, state), opened)]


def deliver(command: DeliverLine, state: Delivery, requested: DeliveryRequested, opened: Opened | None) -> list[Event]:
    """Deliver the keys of this attempt, or wait for them."""
    return [requested, *_delivered(_due(command, state), opened)]


def _delivered(opening: Opening | None, opened: Opened | None) -> list[Event]:
    if opening is None:
        return []
    line = {
        "delivery_id": opening.delivery_id,
        "order_id": opening.order_id,
        "line": opening.line.line,
        "sku": opening.line.sku,
    }
    match opened:
        case None:
            return [DeliveryHandedOver(**line, reason=MISFIT, numbers=opening.numbers)]
        case Opened(delivered_before=(_, *_)):
            return [DeliveryHandedOver(**line, reason=DELIVERED_BEFORE, numbers=opened.delivered_before)]
        case Opened(supplied=(_, *_)):
            return [DeliveryHandedOver(**line, reason=SUPPLIED_TOO, numbers=opened.supplied)]
        case Opened(unopened=(_, *_)):
            return [DeliveryFailed(**line, reason=UNOPENED, numbers=opened.unopened)]
        case _:
            return [KeysDelivered(**line, numbers=opening.numbers, envelope=opened.envelope)]
