"""The four proofs, computed from logs and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.ledger.tables import accounts
from shared.eventlog import log
from shared.eventlog.memory import Folding
from shared.eventlog.rebuild import Verdict, verify
from shared.eventlog.recorded import Recorded
from shared.hosting.service import Service
from shared.laws import Finding, balanced, key_once, no_oversell, paid_ended

Logs = dict[str, sa.Engine]


@dataclass(frozen=True, slots=True)
class Proof:
    """One statement, in English and Chinese, and what stands behind it or against it."""

    name: str
    english: str
    chinese: str
    ok: bool
    detail: str


def prove(
    services: Sequence[Service], logs: Logs, done: Callable[[str], None] = lambda name: None, *, drained: bool = True
) -> list[Proof]:
    """The four proofs: keys once, paid orders ended, ledger balanced, rebuild equal. `done` hears of each step.

    Of a system at work (`drained` False) orders under way are counted, not held against it.
    What rests on a log that was changed is not proven: it is not even read, for it may hold anything.
    """
    changed = changed_logs(logs)
    keys = _broken_by(changed, "fulfillment", "inventory") or [
        key_once(_read(logs, "fulfillment")),
        no_oversell(_read(logs, "inventory")),
    ]
    done("keys")
    paid = _broken_by(changed, "order", "ledger") or [
        paid_ended(_read(logs, "order"), _read(logs, "ledger"), drained=drained)
    ]
    done("orders")
    money = _broken_by(changed, "ledger") or [_balanced(logs["ledger"])]
    done("ledger")
    verdicts = []
    for service in services:
        if not changed:
            verdicts.append(verify_service(service, logs))
        done(service.name)
    return [
        _proof("keys_once", "every key delivered at most once", "每张卡密最多交付一次", keys, "keys"),
        _proof("paid_ended", "every paid order delivered or refunded", "已付订单全部交付或退款", paid, "orders"),
        _proof("ledger_balanced", "the ledger balances and wallets agree", "账目借贷平衡，钱包相符", money, "entries"),
        _rebuilt(verdicts, list(changed.values())),
    ]


def changed_logs(logs: Logs) -> dict[str, str]:
    """What to say of each log that does not fit its hash chain, by service."""
    return {
        service: f"{service}: the log was changed at position {found.position}"
        for service, engine in logs.items()
        if (found := log.check_chain(engine))
    }


def _broken_by(changed: dict[str, str], *services: str) -> list[Finding]:
    said = tuple(changed[service] for service in services if service in changed)
    return [Finding("Unchanged", 0, len(said), said)] if said else []


def _balanced(ledger: sa.Engine) -> Finding:
    with ledger.connect() as connection:
        live = {(row.account, row.currency): (row.posted, row.held) for row in connection.execute(sa.select(accounts))}
        head = log.read_head(connection).position
    return balanced(log.read_all(ledger, "ledger", up_to=head), live)


def verify_service(service: Service, logs: Logs) -> Verdict:
    """Check one service's log, rebuild its tables beside the live ones, and compare."""
    foldings = {aggregate.name: Folding(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates}
    return verify(service.name, service.tables, projected(service), foldings, logs)


def projected(service: Service) -> frozenset[str]:
    """The names of the foreign events that a service's tables fold."""
    return frozenset(event.__name__ for event in service.projects)


def _read(logs: Logs, service: str) -> Iterator[Recorded]:
    return log.read_all(logs[service], service)


def _proof(name: str, english: str, chinese: str, findings: list[Finding], what: str) -> Proof:
    broken = [violation for finding in findings for violation in finding.violations]
    detail = "; ".join(broken) if broken else f"{findings[0].checked} {what}"
    if under_way := sum(finding.under_way for finding in findings):
        detail += f", {under_way} under way"
    if under_way := sum(finding.under_way for finding in findings):
        detail += f", {under_way} under way"
    return Proof(name, english, chinese, not broken, detail)


def _rebuilt(verdicts: list[Verdict], changed: list[str]) -> Proof:
    broken = changed + [complaint for verdict in verdicts if not verdict.ok for complaint in complaints(verdict)]
    detail = "; ".join(broken) if broken else f"{sum(verdict.events for verdict in verdicts)} events"
    return Proof("rebuild_equal", "rebuilt state equals live state", "重建状态与现状一致", not broken, detail)


def complaints(verdict: Verdict) -> list[str]:
    """What a verdict found wrong, a line each."""
    found = (
        [] if verdict.tampered is None else [f"{verdict.service}: the log was changed at position {verdict.tampered}"]
    )
    for difference in verdict.differences:
        keys = ", ".join(difference.keys)
        found.append(f"{verdict.service}.{difference.table}: {difference.count} rows differ ({keys})")
    return found + [f"{verdict.service}: the snapshot of {stream} is stale" for stream in verdict.stale_snapshots]
