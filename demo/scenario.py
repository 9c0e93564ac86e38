"""Plans the orders of the demo and their paths. Every path occurs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

# The paths of orders, and the number of orders for each. The rest of the orders is `sold`.
SHARES = {
    "paid-by-channel": 40,
    "unpaid": 10,
    "paid-late": 10,
    "short-stock": 16,
    "blocked": 5,
    "reviewed-released": 5,
    "reviewed-refused": 2,
    "top-up": 30,
    "supplier-failed-over": 10,
    "supplier-timed-out": 2,
    "supplier-called-back": 5,
    "partly-delivered": 5,
    "refunded": 5,
    "partly-refunded": 5,
    "replaced": 5,
    "cancelled-by-buyer": 5,
    "too-little-money": 5,
    "sent-twice": 10,
    "callback-five-times": 5,
    "callback-forged": 3,
}
SMALLEST = sum(SHARES.values())


@dataclass(frozen=True, slots=True)
class Planned:
    """One order to place: its path, its customer, and the seed of its random choices."""

    path: str
    customer: int
    seed: int


def plan(orders: int, customers: int, seed: int) -> Sequence[Planned]:
    """The orders of a run in the order of placing; the same for the same numbers.

    Raises ValueError when there are too few orders to take every path.
    """
    if orders < SMALLEST:
        raise ValueError(f"every path needs at least {SMALLEST} orders")
    luck = random.Random(seed)
    paths = [path for path, count in SHARES.items() for _ in range(count)]
    paths += ["sold"] * (orders - len(paths))
    luck.shuffle(paths)
    return [Planned(path, luck.randrange(customers), luck.getrandbits(32)) for path in paths]
