"""Limits how much of a product's stock unpaid orders may reserve. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.inventory.domain.stock import Stock
from shared.contracts.inventory import ReserveStock, ShortFor

WHOLE = 100


@dataclass(frozen=True, slots=True)
class UnpaidLimits:
    """Limits for unpaid orders, of the stock that is not sold or paid for. All of them together may reserve
    `share_percent`, and one person, address or device `buyer_percent` of that; each at least one piece. A buyer without
    reservations may get one piece beyond the share, if `kept_percent` (at least one piece) stays for those who pay at
    once. While no unpaid order has reservations, an order of up to `small_order` pieces is always accepted."""

    share_percent: int = 50
    buyer_percent: int = 50
    kept_percent: int = 10
    small_order: int = 5


def holder(kind: str, value: str) -> str:
    """The name of a person, an address or a device in reservations. It is a hash, because it is only compared."""
    return hashlib.sha256(f"{kind}:{value}".encode(errors="replace")).hexdigest()[:16]


def refusal(command: ReserveStock, stock: Stock, free: int, limits: UnpaidLimits) -> ShortFor | None:
    """The reason why an unpaid order may not reserve these keys, of which `free` are for sale; None if it may."""
    if not command.unpaid:
        return None
    held, by_holder = 0, dict.fromkeys(command.holders, 0)
    for reservation in stock.reserved.values():
        if not reservation.unpaid:
            continue
        held += len(reservation.numbers)
        for name in reservation.holders:
            if name in by_holder:
                by_holder[name] += len(reservation.numbers)
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
    """This percentage, rounded up, so at least one piece of any."""
    return -(-pieces * percent // WHOLE)
