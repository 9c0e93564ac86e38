"""The screening of an order, and its case when a person must decide. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from services.risk.domain.rules import RULES, USUAL_LIMITS, AmountLimits, Counted
from services.risk.domain.velocity import History, counted, measured
from shared.contracts import DecisionContext, Event, Refused, replace
from shared.contracts.risk import (
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CloseCase,
    DecideCase,
    Decision,
    ListName,
    OrderScreened,
    RecordPaidTargets,
    ReopenCase,
    ScreenOrder,
    TargetsPaid,
)

Finding = tuple[Decision, str]
SEVERITY: tuple[Decision, ...] = ("pass", "review", "block")
LISTED: Mapping[ListName, Decision] = {"allow": "pass", "watch": "review", "block": "block"}


@dataclass(frozen=True, slots=True)
class Screening:
    """A screening. `opened` is the event that opened the case last."""

    decision: Decision | None = None
    case: Literal["none", "open", "closed", "decided"] = "none"
    opened: CaseOpened | None = None
    paid: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A value of the order that is on a list, until a time or for good."""

    entry: str
    list: ListName
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Facts: the histories and list entries of the order's values, and the limits of amounts."""

    histories: Mapping[tuple[Counted, str], History]
    listed: Sequence[Listed] = ()
    limits: AmountLimits = USUAL_LIMITS


ScreeningCommand: TypeAlias = ScreenOrder | DecideCase | CloseCase | ReopenCase | RecordPaidTargets


def decide_screening(command: ScreeningCommand, state: Screening, given: DecisionContext) -> list[Event]:
    """Screen an order once, decide its open case, close and reopen it with its order, or count the order as paid.

    Facts: for ScreenOrder Known. DecideCase refuses `unknown-order` and `no-open-case`.
    """
    match command:
        case ScreenOrder():
            return [] if state.decision else _screen(command, given.facts, given.now)
        case RecordPaidTargets():
            return [] if state.paid else [TargetsPaid(**dict(command))]
        case CloseCase(order_id=order_id):
            return [CaseClosed(order_id=order_id)] if state.case == "open" else []
        case ReopenCase():
            if state.case != "closed" or state.opened is None:
                return []
            return [state.opened.model_copy(update={"again": True})]
        case DecideCase(order_id=order_id):
            if state.decision is None:
                raise Refused("unknown-order", f"order {order_id} was never screened", status=404)
            if state.case != "open":
                raise Refused("no-open-case", f"order {order_id} has no open case")
            return [CaseDecided(order_id=order_id, decision=command.decision, note=command.note)]


def evolve_screening(state: Screening, event: Event) -> Screening:
    match event:
        case OrderScreened(decision=decision):
            return replace(state, decision=decision)
        case CaseOpened():
            return replace(state, case="open", opened=event)
        case CaseClosed():
            return replace(state, case="closed")
        case CaseDecided():
            return replace(state, case="decided")
        case TargetsPaid():
            return replace(state, paid=True)
    return state


def _screen(order: ScreenOrder, known: Known, now: datetime) -> list[Event]:
    findings = _findings(order, known, now)
    decision = _worst([decision for decision, _ in findings])
    reasons = tuple(reason for _, reason in findings)
    screened = OrderScreened(**dict(order), decision=decision, reasons=reasons)
    if decision != "review":
        return [screened]
    return [screened, CaseOpened(order_id=order.order_id, amount=order.amount, reasons=reasons)]


def _worst(decisions: Sequence[Decision]) -> Decision:
    return SEVERITY[max(map(SEVERITY.index, decisions), default=0)]


def _findings(order: ScreenOrder, known: Known, now: datetime) -> list[Finding]:
    on_lists = [entry for entry in known.listed if entry.until is None or now < entry.until]
    findings: list[Finding] = [(LISTED[entry.list], f"list:{entry.list}:{entry.entry}") for entry in on_lists]
    if any(entry.list == "allow" for entry in on_lists):
        return findings
    return [*findings, *_too_much(order, known.limits), *_too_fast(order, known, now)]


def _too_much(order: ScreenOrder, limits: AmountLimits) -> Iterator[Finding]:
    currency = order.amount.currency
    for ceiling in limits.ceilings(currency):
        if ceiling.limit < order.amount:
            yield ceiling.decision, ceiling.reason
    for reason in limits.missing(currency):
        yield "review", reason


def _too_fast(order: ScreenOrder, known: Known, now: datetime) -> Iterator[Finding]:
    values = counted(order)
    for rule in (*RULES, *known.limits.rules(order.amount.currency)):
        histories = (known.histories.get(trait, {}) for trait in values if trait[0] == rule.dimension)
        if any(measured(rule, past, now, order.amount, order.customer) > rule.limit for past in histories):
            yield rule.decision, rule.reason
