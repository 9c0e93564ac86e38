"""Carries the faults out, undoes each, and starts what ended, as the orchestrator of a real cluster does."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.chaos.faults import AT_ONCE, EVERY, SERVERS, Fault
from tests.chaos.proxy import CLEAR
from tests.chaos.shop import Shop

LOOK_SECONDS, CALM_SECONDS = 0.2, 4.0


@dataclass(slots=True)
class Struck:
    """A fault as it happened, in times of the monotonic clock; `ended` is None until it is undone. `cut` counts the
    connections that it broke."""

    fault: Fault
    began: float
    ended: float | None = None
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Crash:
    """A process that nobody had killed ended with a code; `printed` is the end of what it said."""

    name: str
    code: int
    printed: str


class Saboteur:
    """`struck` are the faults so far, `crashes` the ends that nobody brought about."""

    def __init__(self, shop: Shop) -> None:
        self.struck: list[Struck] = []
        self.crashes: list[Crash] = []
        self._shop, self._cluster = shop, shop.platform.cluster
        self._free, self._calm, self._healed = asyncio.Semaphore(AT_ONCE), asyncio.Lock(), asyncio.Event()
        self._busy: set[str] = set()

    @property
    def under_way(self) -> int:
        """How many faults are not undone yet."""
        return sum(struck.ended is None for struck in self.struck)

    async def run(self, faults: Sequence[Fault], seconds: float) -> None:
        """All of them, each at its time or as soon as there is room for it; then everything is healed.

        A fault whose target has one already is left out, and one that has to wait beyond the end. But for the first
        kill of each server the end waits: on a slow machine its turn comes late.
        """
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch())
            striking = [tasks.create_task(self._in_time(fault, started + fault.at)) for fault in faults]
            first_kills: dict[str, asyncio.Task[None]] = {}
            for fault, task in zip(faults, striking, strict=True):
                if fault.kind == "kill" and fault.target in SERVERS:
                    first_kills.setdefault(fault.target, task)
            await asyncio.sleep(seconds)
            await asyncio.gather(*first_kills.values())
            self._healed.set()
            await asyncio.gather(*striking)
            watching.cancel()

    async def _in_time(self, fault: Fault, at: float) -> None:
        """What hits everybody comes one after the other, with some calm in between: there must be work to disturb."""
        await asyncio.sleep(at - time.monotonic())
        if not fault.is_wide:
            await self._strike(fault, self._targets(fault))
            return
        async with self._calm:
            await self._strike(fault, self._targets(fault))
            await self._last(CALM_SECONDS)

    def _targets(self, fault: Fault) -> frozenset[str]:
        """The processes, servers or wires that a fault is about."""
        whose, _, server = fault.target.partition(">")
        if whose == EVERY:
            return frozenset(name for name in self._shop.proxy.names if name.endswith(f">{server}"))
        return frozenset((fault.target,))

    async def _strike(self, fault: Fault, targets: frozenset[str]) -> None:
        async with self._free:
            if targets & self._busy or self._healed.is_set():
                return
            self._busy |= targets
            struck = Struck(fault, time.monotonic())
            self.struck.append(struck)
            try:
                await self._harm(struck, targets)
            finally:
                struck.ended = time.monotonic()
                self._busy -= targets

    async def _harm(self, struck: Struck, targets: frozenset[str]) -> None:
        """Do it, let it last, undo it."""
        if struck.fault.weather is not None:
            await self._change_weather(struck, targets)
        elif struck.fault.target in self._shop.servers:
            await self._harm_server(struck.fault)
        else:
            await self._harm_process(struck.fault)

    async def _last(self, seconds: float) -> None:
        """Let a fault last, but not beyond the healing."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._healed.wait(), seconds)

    async def _change_weather(self, struck: Struck, wires: frozenset[str]) -> None:
        proxy, fault = self._shop.proxy, struck.fault
        proxy.change(wires, fault.weather or CLEAR)
        if fault.kind == "cut":
            struck.cut = proxy.cut(wires)
        await self._last(fault.seconds)
        proxy.change(wires, CLEAR)

    async def _harm_server(self, fault: Fault) -> None:
        server = self._shop.servers[fault.target]
        if fault.kind == "freeze":
            await asyncio.to_thread(server.freeze)
            await self._last(fault.seconds)
            await asyncio.to_thread(server.thaw)
        else:
            await asyncio.to_thread(server.kill)
            await self._last(fault.seconds)
            await asyncio.to_thread(server.start)

    async def _harm_process(self, fault: Fault) -> None:
        cluster, name = self._cluster, fault.target
        process = cluster.running[name]
        if fault.kind == "freeze":
            process.send_signal(signal.SIGSTOP)
            await self._last(fault.seconds)
            process.send_signal(signal.SIGCONT)
        else:
            process.kill()
            await asyncio.to_thread(process.wait)
            await self._last(fault.seconds)
            cluster.start(name)

    async def _watch(self) -> None:
        cluster = self._cluster
        while True:
            for name, process in list(cluster.running.items()):
                if name not in self._busy and (code := process.poll()) is not None:
                    self.crashes.append(Crash(name, code, cluster.printed(name)[-2_000:]))
                    cluster.start(name)
            await asyncio.sleep(LOOK_SECONDS)
