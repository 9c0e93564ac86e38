"""One run: a platform in trouble, its healing, and the verdict."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.faults import Fault, draw
from tests.chaos.history import Attempt, History
from tests.chaos.judging import Judge, Verdict, ended_orders
from tests.chaos.people import Crowd
from tests.chaos.saboteur import Crash, Saboteur, Struck
from tests.chaos.shop import CARDS, open_shop

KEYS, KEYS_A_SECOND = 120, 12
TELL_SECONDS = 0.5
SCHEDULE, REQUESTS = "faults.jsonl", "requests.jsonl"
OnProgress = Callable[[str, float], None]


@dataclass
class Ran:
    """What a run came to."""

    seconds: float
    struck: list[Struck]
    crashes: list[Crash]
    attempts: list[Attempt]
    unknown: int
    outcomes: Counter[str]
    orders: dict[str, int]
    verdict: Verdict
    took: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.verdict.broken

    def latencies(self, *, troubled: bool) -> list[float]:
        """Seconds that each attempt took which some fault, or none, was beside; sorted."""
        spans = [(struck.began, struck.ended or struck.began) for struck in self.struck]
        return sorted(attempt.seconds for attempt in self.attempts if _is_beside(attempt, spans) == troubled)


def _is_beside(attempt: Attempt, spans: Sequence[tuple[float, float]]) -> bool:
    ended = attempt.began + attempt.seconds
    return any(began < ended and attempt.began < end for began, end in spans)


def run(var: Path, seconds: float, seed: int, progress: OnProgress) -> Ran:
    """A whole run on a new folder. `progress(what, done)` hears of its progress, `done` in seconds of faults.

    Raises InfrastructureError when there are no servers that may be killed, Unexpected when a process does not start.
    """
    started = time.monotonic()
    keys = KEYS + round(seconds * KEYS_A_SECOND / len(CARDS))
    with (
        (var / REQUESTS).open("w", buffering=1) as file,
        open_shop(var, keys, lambda what: progress(what, 0)) as shop,
    ):
        opened = time.monotonic()
        history, saboteur = History(file), Saboteur(shop)
        crowd = Crowd(shop, history, random.Random(seed))
        faults = draw(seed, seconds, tuple(shop.platform.cluster.described))
        try:
            shop.market.run(_trouble(crowd, saboteur, faults, seconds, progress))
        finally:
            _keep(var / SCHEDULE, saboteur, history.began)
        healed = time.monotonic()
        attempts, unknown = list(history.attempts), len(history.unknown())
        judge = Judge(shop, history, crowd.paid, random.Random(seed))
        verdict = shop.market.run(judge.judge(saboteur.crashes, lambda what: progress(what, seconds)))
        ran = Ran(
            seconds,
            saboteur.struck,
            saboteur.crashes,
            attempts,
            unknown,
            Counter(f"{attempt.kind} {attempt.outcome}" for attempt in attempts),
            ended_orders(shop),
            verdict,
        )
        judged = time.monotonic()
    ran.took = {
        "opening": opened - started,
        "trouble": healed - opened,
        "verdict": judged - healed,
        "closing": time.monotonic() - judged,
    }
    return ran


async def _trouble(
    crowd: Crowd, saboteur: Saboteur, faults: Sequence[Fault], seconds: float, progress: OnProgress
) -> None:
    async def tell() -> None:
        while not crowd.over:
            progress(_summary(crowd.history, saboteur), min(seconds, time.monotonic() - crowd.history.began))
            await asyncio.sleep(TELL_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(crowd.run())
        tasks.create_task(tell())
        try:
            await saboteur.run(faults, seconds)
        finally:
            crowd.over = True


def _summary(history: History, saboteur: Saboteur) -> str:
    outcomes = history.outcomes()
    return (
        f"{len(saboteur.struck)} faults, {outcomes.total()} requests, {outcomes['unknown']} unknown, "
        f"{saboteur.under_way} under way"
    )


def _keep(file: Path, saboteur: Saboteur, origin: float) -> None:
    file.write_text("".join(f"{line}\n" for line in _fault_lines(saboteur, origin)))


def _fault_lines(saboteur: Saboteur, origin: float) -> Iterator[str]:
    for struck in saboteur.struck:
        fault, ended = struck.fault, struck.ended
        yield json.dumps(
            {
                "kind": fault.kind,
                "target": fault.target,
                "began": round(struck.began - origin, 3),
                "ended": None if ended is None else round(ended - origin, 3),
                "weather": str(fault.weather) if fault.weather else None,
                "cut": struck.cut,
            }
        )
