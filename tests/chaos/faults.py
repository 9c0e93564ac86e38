"""What will go wrong and when, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.chaos.proxy import BOTH, Weather

Kind: TypeAlias = Literal["kill", "freeze", "cut", "delay", "throttle", "hold", "swallow"]
BROKER, DATABASE = "rabbitmq", "postgres"
SERVERS = (BROKER, DATABASE)
AT_ONCE, EVERY, WIDE = 3, "*", 0.25
GAP_SECONDS = (0.4, 2.4)
LONGEST = {"kill": 3.0, "freeze": 9.0, "cut": 2.0, "delay": 6.0, "throttle": 5.0, "hold": 6.0, "swallow": 8.0}
# How often each occurs in one deck; "" stands for any process, or for any wire.
DECK: dict[tuple[Kind, str], int] = {
    ("kill", ""): 7,
    ("freeze", ""): 5,
    ("kill", BROKER): 1,
    ("kill", DATABASE): 1,
    ("freeze", BROKER): 1,
    ("freeze", DATABASE): 1,
    ("cut", ""): 3,
    ("delay", ""): 2,
    ("throttle", ""): 1,
    ("hold", ""): 2,
    ("swallow", ""): 3,
}
NETWORK: frozenset[Kind] = frozenset(("cut", "delay", "throttle", "hold", "swallow"))


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` seconds from the beginning, for about so many `seconds`. `target` is a process, a server, or wires:
    `<process>><server>`, `*><server>` for all of them. `weather` is that of its wires."""

    at: float
    kind: Kind
    target: str
    seconds: float
    weather: Weather | None = None

    @property
    def is_wide(self) -> bool:
        """Whether it hits every process at once."""
        return self.target in SERVERS or self.target.startswith(EVERY)


def draw(seed: int, seconds: float, processes: Sequence[str]) -> list[Fault]:
    """The faults of a run. Within one deck of cards every kind comes up, and every process before one is hit twice."""
    luck = random.Random(seed)
    kinds, hit = _shuffled(luck, list(_cards())), _shuffled(luck, processes)
    faults: list[Fault] = []
    at = luck.uniform(*GAP_SECONDS)
    while at < seconds:
        kind, target = next(kinds)
        lasting = luck.uniform(0.2, 1.0) * LONGEST[kind]
        if kind in NETWORK:
            server = luck.choice(SERVERS)
            whose = EVERY if luck.random() < WIDE else next(hit)
            faults.append(Fault(at, kind, f"{whose}>{server}", lasting, _weather(kind, luck)))
        else:
            faults.append(Fault(at, kind, target or next(hit), lasting if kind == "freeze" else luck.uniform(0, 3)))
        at += luck.uniform(*GAP_SECONDS)
    return faults


def _cards() -> Iterator[tuple[Kind, str]]:
    for card, count in DECK.items():
        for _ in range(count):
            yield card


def _shuffled(luck: random.Random, cards: Sequence[tuple[Kind, str]] | Sequence[str]) -> Iterator:
    while True:
        yield from luck.sample(cards, len(cards))


def _weather(kind: Kind, luck: random.Random) -> Weather:
    match kind:
        case "cut":
            return Weather(refused=True)
        case "delay":
            return Weather(delay=luck.uniform(0.005, 0.1))
        case "throttle":
            return Weather(rate=luck.uniform(20_000, 100_000))
        case "hold":
            return Weather(held=True)
        case _:
            return Weather(swallowed=luck.choice((BOTH, frozenset(("requests",)), frozenset(("answers",)))))
