"""The peer: eventsourcing 9.5 as a store of events, on the same PostgreSQL.

A call is what a caller waits for. The peer's: an aggregate in memory gets 1 or 100 new events and is saved. Ours: a
command that gives 1 or 100 events is sent to a writer, which decides it, keeps its id and result, chains the hashes and
commits; what has arrived by then, from whichever caller, is one commit. Both keep their aggregates in memory, and each
caller has one of its own. Each side's figure is the better of its ways to be called by many: threads or, as its saves
block, processes for the peer; threads or coroutines, as they are in the HTTP process, for ours.
"""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from deploy.local.infrastructure import Infrastructure
from shared.contracts import Metadata
from shared.eventstore import log_reader
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage, Reply
from shared.runtime.clock import Clock
from shared.runtime.consumer_loop import ConsumerLoop
from shared.runtime.garbage import collect_seldom
from shared.runtime.ids import Ids
from shared.runtime.in_process import InProcessNetwork
from shared.runtime.service import HostContext
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from shared.writer.aggregate_cache import AggregateCache, AggregateType
from shared.writer.writer import Writer
from tests.bench.measures import Row, Section, median
from tests.bench.peers.eventsourcing_store import Peer, appended_by_processes
from tests.bench.processes import new_database
from tests.runtime.toy import (
    Count,
    ToyPress,
    button,
    evolve_button,
)

OURS, PEER = "ours", "eventsourcing"
CALLERS, BATCHES = (1, 8), (1, 100)
PAGE = 2_000
Append = Callable[[int, int, int], float]


def measure(servers: Infrastructure, var: Path, rounds: int, calls: int, progress: Callable[[str], None]) -> Section:
    """Append, read, and rebuild one aggregate, each in interleaved rounds; events a second."""
    rows: list[Row] = []
    collect_seldom()  # as a writer's process does; the peer's threads profit as well
    with _our_store(servers, var) as (ask, engine), Peer(new_database(servers, "bench_eventsourcing")) as peer:
        for size in BATCHES:
            for callers in CALLERS:
                progress(f"append of {size} a call, {callers} callers")
                each = max(10, (calls if size == 1 else calls // 10) // callers)
                contest = {OURS: _appending(ask), PEER: peer.append}
                if callers > 1:
                    contest[f"{OURS}, by coroutines"] = _appending_by_coroutines(ask)
                    contest[f"{PEER}, by processes"] = lambda c, n, s: appended_by_processes(peer.url, c, n, s)
                rows.append(
                    {"what": f"append {size} a call, {callers} callers", **_rates(contest, rounds, callers, each, size)}
                )
        progress("reading")
        rows.append({"what": "read and decode the log", **_best(rounds, lambda: _read(engine), peer.read)})
        progress("rebuilding an aggregate")
        stream = _longest(engine)
        rows.append({"what": "rebuild one aggregate", **_best(rounds, lambda: _load(engine, stream), peer.rebuild)})
        memory: Row = {"what": "bytes of one aggregate"}
        rows.append(memory | {OURS: _size(lambda: _state(engine, stream)), PEER: _size(peer.longest)})
    note = (
        "Events a second, medians. Each caller of ours waits for its commit; commands that arrive together share one."
    )
    return Section("Beside eventsourcing", rows, note)


Press = Callable[[CommandMessage], "Future[Reply]"]


@contextmanager
def _our_store(servers: Infrastructure, var: Path) -> Iterator[tuple[Press, sa.Engine]]:
    """A real writer on a database of its own, its loop turned by a thread."""
    engine = open_engine(new_database(servers, "bench_append"), writer=True)
    writer = Writer(button(), engine, HostContext(Settings(var=var), Clock(), Ids(), Secrets(var / "secrets")))
    writer.start()
    network, is_over = InProcessNetwork(), threading.Event()
    transport = network.attach("button", (), engine)
    loop = ConsumerLoop(writer, transport, lambda call, done: None)

    def turn() -> None:
        while not is_over.is_set():
            transport.wait(loop.patience())
            loop.turn()

    turning = threading.Thread(target=turn, daemon=True)
    turning.start()
    try:
        yield partial(network.ask, "button"), engine
    finally:
        is_over.set()
        transport.wake()
        turning.join()
        engine.dispose()


def _press(ask: Press, caller: int, size: int) -> Future[Reply]:
    id_ = str(uuid4())
    command = ToyPress(button=f"{caller}", times=size, note="pressed")
    return ask(CommandMessage(id_, command, Metadata(correlation_id=id_, causation_id=id_)))


def _appending(ask: Press) -> Append:
    def append(callers: int, calls: int, size: int) -> float:
        def call_all(caller: int) -> None:
            for _ in range(calls):
                assert _press(ask, caller, size).result().outcome == "accepted"

        started = time.perf_counter()
        with ThreadPoolExecutor(callers) as threads:
            list(threads.map(call_all, range(callers)))
        return callers * calls * size / (time.perf_counter() - started)

    return append


def _appending_by_coroutines(ask: Press) -> Append:
    def append(callers: int, calls: int, size: int) -> float:
        async def call_all(caller: int) -> None:
            for _ in range(calls):
                reply = await asyncio.wrap_future(_press(ask, caller, size))
                assert reply.outcome == "accepted"

        async def call_side_by_side() -> None:
            async with asyncio.TaskGroup() as tasks:
                for caller in range(callers):
                    tasks.create_task(call_all(caller))

        started = time.perf_counter()
        asyncio.run(call_side_by_side())
        return callers * calls * size / (time.perf_counter() - started)

    return append


def _rates(contest: dict[str, Append], rounds: int, callers: int, calls: int, size: int) -> Row:
    """Each side's figure is the better of its ways."""
    found: dict[str, list[float]] = {name: [] for name in contest}
    for _ in range(rounds):
        for name, append in contest.items():
            found[name].append(append(callers, calls, size))
    medians = {name: median(rates) for name, rates in found.items()}
    best = {side: max(rate for name, rate in medians.items() if name.startswith(side)) for side in (OURS, PEER)}
    return _ratio(best[OURS], best[PEER])


def _best(rounds: int, ours: Callable[[], int], peers: Callable[[], int]) -> Row:
    """Both are functions that return how many events they went through."""
    found: dict[str, list[float]] = {OURS: [], PEER: []}
    for _ in range(rounds):
        for name, work in ((OURS, ours), (PEER, peers)):
            started = time.perf_counter()
            count = work()
            found[name].append(count / (time.perf_counter() - started))
    return _ratio(median(found[OURS]), median(found[PEER]))


def _ratio(ours: float, peers: float) -> Row:
    return {OURS: round(ours), PEER: round(peers), "times": round(ours / peers, 2)}


def _read(engine: sa.Engine) -> int:
    """The whole log, each event decoded to its type."""
    count = 0
    for recorded in log_reader.read_all(engine, "button", page=PAGE):
        assert recorded.event is not None
        count += 1
    return count


def _longest(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        found = sa.text("select stream from log group by stream order by count(*) desc limit 1")
        return connection.execute(found).scalar_one()


def _state(engine: sa.Engine, stream: str) -> AggregateCache:
    """The stream's state from all its events, without a snapshot."""
    with engine.connect() as connection:
        folding = {"button": AggregateType(Count, evolve_button)}
        memory = AggregateCache("button", folding, lambda: connection, use_snapshots=False)
        memory.load([stream])
        return memory


def _load(engine: sa.Engine, stream: str) -> int:
    return _state(engine, stream).get(stream).version


def _size(make: Callable[[], object]) -> int:
    """Bytes that are kept once it is made."""
    make()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = make()
        after, _ = tracemalloc.get_traced_memory()
        del kept
        return after - before
    finally:
        tracemalloc.stop()
