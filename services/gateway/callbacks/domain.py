"""Signed callbacks of partners that can't be read. Each is recorded once, and waits for a person. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import Command, Decided, DecisionContext, Event, Refused
from shared.contracts.gateway import PartnerKind, RecordUnread, SettleUnread, StatementUnread, UnreadSettled

# The most callbacks of one partner that may wait. Beyond it they are not recorded, and the partner must send them
# again.
MOST_WAITING = 1_000


@dataclass(frozen=True)
class StatementState:
    """An unread callback: its partner, and whether a person has settled it. `partner` is empty before it is
    recorded."""

    kind: PartnerKind = "channel"
    partner: str = ""
    settled: bool = False


def decide_statement(command: Command, state: StatementState, given: DecisionContext) -> Decided:
    """Facts: for RecordUnread the number of this partner's statements that wait. SettleUnread refuses
    `unknown-statement` and `already-settled`."""
    match command:
        case RecordUnread():
            return _record(command, state, given.facts)
        case SettleUnread(statement_id=statement_id, note=note):
            if not state.partner:
                raise Refused("unknown-statement", f"there is no unread statement {statement_id}", status=404)
            if state.settled:
                raise Refused("already-settled", "a person has already settled this statement")
            settled = UnreadSettled(statement_id=statement_id, kind=state.kind, partner=state.partner, note=note)
            return Decided([settled])
    raise TypeError(f"a statement does not decide {type(command).__name__}")


def _record(command: RecordUnread, state: StatementState, waiting: int) -> Decided:
    if state.partner:
        return Decided(answer={"outcome": "known"})
    if waiting >= MOST_WAITING:
        return Decided(answer={"outcome": "too-many"})
    return Decided([StatementUnread(**dict(command))], {"outcome": "recorded"})


def evolve_statement(state: StatementState, event: Event) -> StatementState:
    match event:
        case StatementUnread(kind=kind, partner=partner):
            return StatementState(kind, partner)
        case UnreadSettled(kind=kind, partner=partner):
            return StatementState(kind, partner, settled=True)
    return state
