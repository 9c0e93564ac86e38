"""How much of a product's stock orders that nobody has paid for may hold back from those who pay."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.inventory.domain.stock import Stock
from shared.contracts.inventory import ReserveStock, ShortFor

WHOLE = 100


@dataclass(frozen=True, slots=True)
class UnpaidLimits:
    """Of what is not sold or paid for, unpaid orders hold `share_percent` together, and one person, address or device
    `buyer_percent` of that: one piece at least. Whoever holds none gets one piece beyond the share as well, as long as
    `kept_percent`, one piece at least, stay for those who pay at once. While nobody holds any, an order of
    `small_order` pieces is taken as it is, so that the last few can be bought at once."""

    share_percent: int = 50
    buyer_percent: int = 50
    kept_percent: int = 10
    small_order: int = 5


def holder(kind: str, value: str) -> str:
    """How reservations name a person, an address or a device: a hash, for it is only ever compared."""
    return hashlib.sha256(f"{kind}:{value}".encode(errors="replace")).hexdigest()[:16]


def refusal(command: ReserveStock, stock: Stock, free: int, limits: UnpaidLimits) -> ShortFor | None:
    """Why an unpaid order may not have these keys, of which `free` are for sale; None when it may."""
    if not command.unpaid:
        return None
    held, by_holder = 0, dict.fromkeys(command.holders, 0)
    for reservation in stock.reserved.values():
        if not reservation.unpaid:
            continue
        held += len(reservation.numbers)
        for one in reservation.holders:
            if one in by_holder:
                by_holder[one] += len(reservation.numbers)
    if not held and command.quantity <= limits.small_order:
        return None
    share = _part(free + held, limits.share_percent)
    is_newcomer = bool(by_holder) and not any(by_holder.values())
    if held + command.quantity > share and not (
        is_newcomer and command.quantity == 1 and free > _part(free + held, limits.kept_percent)
    ):
        return "unpaid-share"
    own = _part(share, limits.buyer_percent)
    return "buyer-share" if any(mine + command.quantity > own for mine in by_holder.values()) else None


def _part(pieces: int, percent: int) -> int:
    """So many percent, rounded up: at least one of any."""
    return -(-pieces * percent // WHOLE)
