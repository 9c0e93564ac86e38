"""A key is sold once; stock is never promised twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from shared.contracts.fulfillment import KeysDelivered
from shared.contracts.inventory import KeysLoaded, StockReleased, StockReserved, StockSettled
from shared.eventlog.recorded import Recorded
from shared.laws.finding import Finding, finding


def key_once(fulfillment: Iterable[Recorded]) -> Finding:
    """KeyOnce: every key is delivered at most once, and every line gets its keys at most once."""
    owner: dict[tuple[str, int], str] = {}
    lines: set[str] = set()
    broken: list[str] = []
    for recorded in fulfillment:
        if recorded.name != KeysDelivered.__name__ or not isinstance(event := recorded.event, KeysDelivered):
            continue
        if event.delivery_id in lines:
            broken.append(f"{event.delivery_id} was delivered twice")
        lines.add(event.delivery_id)
        for number in event.numbers:
            first = owner.setdefault((event.sku, number), event.delivery_id)
            if first != event.delivery_id:
                broken.append(f"key {number} of {event.sku} went to {first} and to {event.delivery_id}")
    return finding("KeyOnce", len(owner), broken)


def no_oversell(inventory: Iterable[Recorded]) -> Finding:
    """NoOversell: at every event a key is loaded before it is reserved, and reserved or sold for one line only."""
    loaded: dict[str, int] = defaultdict(int)
    taken: dict[tuple[str, int], str] = {}
    broken: list[str] = []
    for recorded in inventory:
        match recorded.event if recorded.name in _STOCK else None:
            case KeysLoaded(sku=sku, first=first, keys=keys):
                if first != loaded[sku] + 1:
                    broken.append(f"{sku} loaded from {first} after {loaded[sku]}")
                loaded[sku] = first + len(keys) - 1
            case StockReserved(sku=sku, order_id=order, line=line, keys=keys):
                for key in keys:
                    holder = taken.setdefault((sku, key.number), f"{order}/{line}")
                    if holder != f"{order}/{line}" or key.number > loaded[sku]:
                        broken.append(f"key {key.number} of {sku} was reserved for {order}/{line}, and is {holder}'s")
            case StockReleased(sku=sku, numbers=numbers):
                for number in numbers:
                    taken.pop((sku, number), None)
            case StockSettled(sku=sku, order_id=order, line=line, numbers=numbers):
                for number in numbers:
                    if taken.get((sku, number)) != f"{order}/{line}":
                        broken.append(f"key {number} of {sku} was sold to {order}/{line} without its reservation")
            case _:
                pass
    return finding("NoOversell", sum(loaded.values()), broken)


_STOCK = {cls.__name__ for cls in (KeysLoaded, StockReserved, StockReleased, StockSettled)}
