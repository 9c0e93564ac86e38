"""What a decision gets and gives: DecisionContext, Decided, Refused, and the plans of scheduled items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from shared.contracts.base import Command, Event, Metadata
from shared.values import currencies, days


class Refused(Exception):
    """A rule forbids the command; nothing changes.

    `code` is stable and machine readable (`off-sale`), `detail` is for people. `status` is the HTTP status that fits:
    409 not in this state, 404 unknown, 422 against a rule, 403 not yours. `facts` holds what a program may need; money
    goes in as its minor units and its currency.
    """

    def __init__(self, code: str, detail: str, *, status: int = 409, **facts: str | int) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.status, self.facts = code, detail, status, facts


@dataclass(frozen=True, slots=True)
class Shop:
    """The currencies that the shop trades in, and its time zone."""

    currencies: tuple[str, ...] = currencies.USUAL
    zone: ZoneInfo = field(default_factory=lambda: days.zone(days.USUAL_ZONE))

    def check(self, currency: str) -> None:
        """Raises Refused for a currency that the shop does not trade in."""
        if currency not in self.currencies:
            traded = ", ".join(self.currencies)
            raise Refused("currency-not-traded", f"{currency} is not traded here, only {traded}", status=422)


USUAL_SHOP = Shop()


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What a decision gets besides the command and the state: the time (UTC), the command's id and metadata, the facts
    that `load_facts` gave, and the shop."""

    now: datetime
    command_id: str
    meta: Metadata
    facts: Any = None
    shop: Shop = USUAL_SHOP

    @property
    def today(self) -> date:
        """Today in the shop's time zone."""
        return days.day_of(self.now, self.shop.zone)


@dataclass(frozen=True, slots=True)
class Decided:
    """Events together with an answer for the caller, a small JSON object."""

    events: Sequence[Event] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScheduleCommand:
    """Plan that the service decides its own `command` at `at`. A later item with the same `key` replaces it."""

    key: str
    command: Command
    at: datetime


@dataclass(frozen=True, slots=True)
class CallExternal:
    """Plan an external call by the service's effect of this name, at once or at `at`.

    Its result comes back as a command. A later item with the same `key` replaces it.
    """

    key: str
    effect: str
    payload: Mapping[str, Any]
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the scheduled item with this `key`, if there is one."""

    key: str


Plan: TypeAlias = ScheduleCommand | CallExternal | Cancel
Reaction: TypeAlias = Callable[[Any], Iterable[Command]]
Planner: TypeAlias = Callable[[Any, datetime], Iterable[Plan]]
