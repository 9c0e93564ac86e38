"""A placed order is screened."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts import Command, Event, Reaction
from shared.contracts.order import OrderPlaced
from shared.contracts.risk import ScreenOrder


def screen(event: OrderPlaced) -> list[Command]:
    targets = dict.fromkeys(line.target for line in event.lines if line.target)
    return [
        ScreenOrder(
            order_id=event.order_id,
            customer=event.customer,
            ip=event.ip,
            device=event.device,
            targets=tuple(targets),
            amount=event.total,
        )
    ]


REACTIONS: Mapping[type[Event], Reaction] = {OrderPlaced: screen}
