"""Laws about a system at rest: no reader is behind, nothing waits, tables equal a rebuild, hash chains are intact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from shared.eventstore.chain_check import Tampered
from shared.laws.finding import Finding, finding
from shared.projections.rebuild import Verdict


def drained(lags: Mapping[str, Mapping[str, int]], agenda: Iterable[str] = (), parked: Iterable[str] = ()) -> Finding:
    """Drained: no reader is behind, no scheduled item waits, nothing is parked.

    `lags`: by reader and source, how many events it is behind. `agenda` and `parked`: names of scheduled items and
    parked messages. Leave out items that are not due yet.
    """
    behind = [
        f"{reader} is {lag} behind {source}" for reader, by in lags.items() for source, lag in by.items() if lag > 0
    ]
    waiting = [f"is scheduled: {item}" for item in agenda]
    aside = [f"is parked: {item}" for item in parked]
    return finding("Drained", sum(map(len, lags.values())), behind + waiting + aside)


def rebuild_equal(verdicts: Iterable[Verdict]) -> Finding:
    """RebuildEqual: every service's tables and snapshots equal those of a rebuild from the logs."""
    known = list(verdicts)
    broken = [said for verdict in known for said in complaints(verdict)]
    return finding("RebuildEqual", sum(verdict.events for verdict in known), broken)


def complaints(verdict: Verdict) -> Iterator[str]:
    """A line for each thing that a verdict found wrong."""
    if verdict.tampered is not None:
        yield changed(verdict.service, verdict.tampered)
    for difference in verdict.differences:
        keys = ", ".join(difference.keys)
        yield f"{verdict.service}.{difference.table}: {difference.count} rows differ ({keys})"
    for stream in verdict.stale_snapshots:
        yield f"{verdict.service}: the snapshot of {stream} is stale"


def chain_intact(chains: Mapping[str, Tampered | None]) -> Finding:
    """ChainIntact: every log fits its hash chain. `chains` is what `check_chain` found, by service."""
    broken = (changed(service, found.position) for service, found in chains.items() if found is not None)
    return finding("ChainIntact", len(chains), broken)


def changed(service: str, position: int) -> str:
    """The sentence about a log that does not fit its hash chain."""
    return f"{service}: the log was changed at position {position}"
