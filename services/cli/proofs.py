"""The four proofs, computed from logs and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from services.ledger.tables import accounts
from shared.eventlog import log
from shared.eventlog.memory import Folding
from shared.eventlog.rebuild import Verdict, verify
from shared.eventlog.recorded import Recorded
from shared.hosting.service import Service
from shared.laws import (
    Conserved,
    Finding,
    HoldsMatch,
    KeyOnce,
    Law,
    NoOversell,
    OneCapture,
    OnePurchase,
    PaidTerminal,
    Watch,
    accounts_agree,
    chain_intact,
    complaints,
    rebuild_equal,
    watch,
)

__all__ = ["Logs", "Proof", "changed_logs", "complaints", "projected", "prove", "verify_service"]

Logs = dict[str, sa.Engine]
Balances = Mapping[tuple[str, str], tuple[int, int]]
KEYS = (KeyOnce, NoOversell)
PAID = (PaidTerminal, OneCapture, OnePurchase)
MONEY = (Conserved, HoldsMatch)


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
    tampered = {service: log.check_chain(engine) for service, engine in logs.items()}
    intact = {service: engine for service, engine in logs.items() if tampered[service] is None}
    seen, chains = watch(), chain_intact(tampered)
    for source in ("inventory", "fulfillment"):
        _show(seen, intact, source)
    done("keys")
    _show(seen, intact, "order")
    done("orders")
    agree = _show_ledger(seen, intact["ledger"]) if "ledger" in intact else []
    done("ledger")
    verdicts = []
    for service in services:
        if chains.ok:
            verdicts.append(verify_service(service, logs))
        done(service.name)

    def found(laws: Iterable[type[Law]]) -> list[Finding]:
        heard = {source for law in laws for source in seen.law(law).hears}
        doubtful = chain_intact({source: tampered[source] for source in sorted(heard)})
        return [seen.law(law).finding(drained=drained) for law in laws] if doubtful.ok else [doubtful]

    return [
        _proof("keys_once", "every key delivered at most once", "每张卡密最多交付一次", found(KEYS), "keys"),
        _proof("paid_ended", "every paid order delivered or refunded", "已付订单全部交付或退款", found(PAID), "orders"),
        _proof(
            "ledger_balanced",
            "the ledger balances and wallets agree",
            "账目借贷平衡，钱包相符",
            [*found(MONEY), *agree],
            "entries",
        ),
        _proof(
            "rebuild_equal",
            "rebuilt state equals live state",
            "重建状态与现状一致",
            [rebuild_equal(verdicts), chains],
            "events",
        ),
    ]


def changed_logs(logs: Logs) -> dict[str, str]:
    """What to say of each log that does not fit its hash chain, by service."""
    findings = {service: chain_intact({service: log.check_chain(engine)}) for service, engine in logs.items()}
    return {service: finding.violations[0] for service, finding in findings.items() if not finding.ok}


def _show(seen: Watch, logs: Logs, source: str) -> None:
    if source in logs:
        _told(seen, log.read_all(logs[source], source))


def _show_ledger(seen: Watch, ledger: sa.Engine) -> list[Finding]:
    """Show the ledger's log up to where its tables are, and compare."""
    live, head = _live_balances(ledger)
    _told(seen, log.read_all(ledger, "ledger", up_to=head))
    return [accounts_agree(seen.law(HoldsMatch).balances, live)]


def _told(seen: Watch, events: Iterable[Recorded]) -> None:
    for recorded in events:
        seen.saw(recorded)


def _live_balances(ledger: sa.Engine) -> tuple[Balances, int]:
    """One picture of the accounts, and the position that they are folded up to."""
    with ledger.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        rows = connection.execute(sa.select(accounts))
        live = {(row.account, row.currency): (row.posted, row.held) for row in rows}
        return live, log.read_head(connection).position


def verify_service(service: Service, logs: Logs) -> Verdict:
    """Check one service's log, rebuild its tables beside the live ones, and compare."""
    foldings = {aggregate.name: Folding(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates}
    return verify(service.name, service.tables, projected(service), foldings, logs)


def projected(service: Service) -> frozenset[str]:
    """The names of the foreign events that a service's tables fold."""
    return frozenset(event.__name__ for event in service.projects)


def _proof(name: str, english: str, chinese: str, findings: list[Finding], what: str) -> Proof:
    broken = [violation for finding in findings for violation in finding.violations]
    detail = "; ".join(broken) if broken else f"{findings[0].checked} {what}"
    if under_way := sum(finding.under_way for finding in findings):
        detail += f", {under_way} under way"
    return Proof(name, english, chinese, not broken, detail)
