"""Computes the four proofs from logs and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from laws import (
    EVENT_LAWS,
    Conserved,
    EvidenceSettled,
    HoldsMatch,
    KeyOnce,
    LinksClosed,
    NoOversell,
    OneCapture,
    OnePurchase,
    OrdersKnown,
    PaidTerminal,
    ScreenedOnly,
    ValueOnce,
    accounts_agree,
)
from services.ledger.projection import accounts
from shared.eventstore import chain_check, log, log_reader
from shared.eventstore.divergence import disagreements
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.unreadable import (
    Unreadable,
    described,
    foreign_events,
    reading,
    unknown_events,
)
from shared.laws import Finding, Law, LawChecker, chain_intact, complaints, rebuild_equal
from shared.laws.finding import finding
from shared.projections import versions
from shared.projections.rebuild import Verdict, verify
from shared.runtime.service import Service
from shared.writer.aggregate_cache import AggregateType

__all__ = ["Logs", "Proof", "changed_logs", "complaints", "prove", "verify_service"]

Logs = dict[str, sa.Engine]
Balances = Mapping[tuple[str, str], tuple[int, int]]
KEYS = (KeyOnce, NoOversell)
PAID = (PaidTerminal, OneCapture, OnePurchase, ScreenedOnly, ValueOnce, EvidenceSettled, LinksClosed, OrdersKnown)
MONEY = (Conserved, HoldsMatch)


@dataclass(frozen=True, slots=True)
class Proof:
    """A claim in English and Chinese, whether it holds, and the evidence."""

    name: str
    english: str
    chinese: str
    ok: bool
    detail: str


def prove(
    services: Sequence[Service], logs: Logs, done: Callable[[str], None] = lambda name: None, *, drained: bool = True
) -> list[Proof]:
    """The four proofs: keys once, paid orders ended, ledger balanced, rebuild equal. `done` is called after each step.

    In a running system (`drained` False) orders under way are counted and do not break a proof. A log that was changed
    is not read, and proofs that need it do not hold.
    """
    wrong = changed_logs(logs)
    intact = {service: engine for service, engine in logs.items() if service not in wrong}
    checker, chains = LawChecker((*EVENT_LAWS, OrdersKnown)), finding("ChainIntact", len(logs), list(wrong.values()))
    for source in ("inventory", "fulfillment", "notification"):
        _show(checker, intact, source, wrong)
    done("keys")
    agree = _show_ledger(checker, intact["ledger"], wrong) if "ledger" in intact else []
    done("ledger")
    for source in ("risk", "order"):  # the order last: it requested what others hold
        _show(checker, intact, source, wrong)
    done("orders")
    verdicts, unread = [], list[str]()
    for service in services:
        if chains.ok:
            try:
                verdicts.append(verify_service(service, logs))
            except Exception as error:  # noqa: BLE001 - told as what it is: nothing is proven of this service
                unread.append(f"{service.name} can't be rebuilt: {described(error)}")
        done(service.name)

    def found(laws: Iterable[type[Law]]) -> list[Finding]:
        heard = {source for law in laws for source in checker.law(law).hears}
        doubtful = [wrong[source] for source in sorted(heard) if source in wrong]
        if doubtful:
            return [finding("ChainIntact", len(heard), doubtful)]
        return [checker.law(law).finding(drained=drained) for law in laws]

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
            [rebuild_equal(verdicts), chains, finding("RebuildEqual", len(services), unread), _logs_agree(logs)],
            "events",
        ),
    ]


def changed_logs(logs: Logs) -> dict[str, str]:
    """A message for each log that breaks its hash chain, is another service's, or can't be read, by service."""
    wrong = {}
    for service, engine in logs.items():
        try:
            checked = chain_intact({service: chain_check.check_chain(engine)})
            with engine.connect() as connection:
                foreign = foreign_events(connection, service, logs)
        except Exception as error:  # noqa: BLE001 - told as what it is: this log proves nothing
            wrong[service] = f"{service}: {described(error)}"
        else:
            if not checked.ok:
                wrong[service] = checked.violations[0]
            elif foreign:
                wrong[service] = f"{service}: {foreign}"
    return wrong


def _logs_agree(logs: Logs) -> Finding:
    return finding("LogsAgree", len(logs), [*disagreements(logs), *unknown(logs)])


def unknown(logs: Logs) -> Iterator[str]:
    """Messages about events whose types this version does not know. A log that can't be read is reported elsewhere."""
    for service, engine in logs.items():
        try:
            with engine.connect() as connection:
                yield from unknown_events(connection, service)
        except SQLAlchemyError:
            continue


def _show(checker: LawChecker, logs: Logs, source: str, wrong: dict[str, str]) -> None:
    if source in logs:
        _check_events(checker, log_reader.read_all(logs[source], source), source, wrong)


def _show_ledger(checker: LawChecker, ledger: sa.Engine, wrong: dict[str, str]) -> list[Finding]:
    """Show the laws the ledger's log up to the position of its tables, and compare the balances."""
    try:
        live, head = _live_balances(ledger)
    except Exception as error:  # noqa: BLE001 - told as what it is: the books prove nothing
        wrong["ledger"] = f"ledger: {described(error)}"
        return []
    _check_events(checker, log_reader.read_all(ledger, "ledger", up_to=head), "ledger", wrong)
    return [accounts_agree(checker.law(HoldsMatch).balances, live)] if "ledger" not in wrong else []


def _check_events(checker: LawChecker, events: Iterable[RecordedEvent], source: str, wrong: dict[str, str]) -> None:
    """Show events to the laws, up to one that can't be read: then `wrong` says which."""
    try:
        for recorded in events:
            with reading(recorded):
                checker.saw(recorded)
    except Exception as error:  # noqa: BLE001 - told as what it is: laws that rest on this log prove nothing
        wrong[source] = described(error) if isinstance(error, Unreadable) else f"{source}: {described(error)}"


def _live_balances(ledger: sa.Engine) -> tuple[Balances, int]:
    """The accounts at one moment, and the position that they are folded up to."""
    with ledger.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        rows = connection.execute(sa.select(accounts))
        live = {(row.account, row.currency): (row.posted, row.held) for row in rows}
        return live, log.read_head(connection).position


def verify_service(service: Service, logs: Logs) -> Verdict:
    """Check one service's log, rebuild its tables beside the live ones, and compare. Raises LookupError for tables of
    another version, which can't be compared, and the errors of `rebuild.verify`."""
    with logs[service.name].connect() as connection:
        if lost := log.missing(connection):
            raise LookupError(f"its database lacks {', '.join(lost)}; restore it from a backup")
        if versions.is_outdated(connection, service.projection):
            raise LookupError("its tables are of another version; start it once, or `kameng rebuild outdated`")
    foldings = {aggregate.name: AggregateType(aggregate.initial, aggregate.evolve) for aggregate in service.aggregates}
    return verify(
        service.name,
        service.projection,
        service.foreign_event_names(),
        foldings,
        logs,
        plans=service.plans,
        now=datetime.now(UTC),
    )


def _proof(name: str, english: str, chinese: str, findings: list[Finding], what: str) -> Proof:
    broken = [violation for finding in findings for violation in finding.violations]
    detail = "; ".join(broken) if broken else f"{findings[0].checked} {what}"
    if under_way := sum(finding.under_way for finding in findings):
        detail += f", {under_way} under way"
    return Proof(name, english, chinese, not broken, detail)
