"""Runs one case under every law."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from laws import watch
from shared.eventstore.recorded import RecordedEvent
from shared.laws import Violation
from shared.runtime.simulated.host import digest
from tests.simulation.case import Case
from tests.simulation.judge import findings
from tests.simulation.outcomes import outcomes
from tests.simulation.world import World, inhabited

UNHANDLED = "Unhandled"
SHOWN = 25


@dataclass(frozen=True)
class Ran:
    """What a run came to. `broken` says what is wrong, by law, the first one first; `digest` fingerprints the logs;
    `trace` has the last events, and what broke."""

    case: Case
    broken: Mapping[str, str] = field(default_factory=dict)
    trace: tuple[str, ...] = ()
    digest: str = ""
    events: int = 0
    restarts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def run(case: Case) -> Ran:
    """The same case gives the same Ran, always and everywhere."""
    watching, broken = watch(_raise), dict[str, str]()
    with inhabited(case.plan(), case.luck(), case.faults(), watching.saw) as world:
        try:
            ended = world.run()
            for finding in findings(world, watching, [] if ended else world.rest()):
                if not finding.ok:
                    broken.setdefault(finding.law, "; ".join(finding.violations))
        except Violation as violation:
            broken[violation.law] = violation.detail
        except Exception as error:  # noqa: BLE001 - whatever escapes a service is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            broken[UNHANDLED] = f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"
        return _ran(case, world, broken)


def _raise(violation: Violation) -> None:
    raise violation


def _ran(case: Case, world: World, broken: Mapping[str, str]) -> Ran:
    if broken:
        trace = (*map(_line, world.events[-SHOWN:]), *(f"{law}: {detail}" for law, detail in broken.items()))
        return Ran(case, broken, trace, events=len(world.events))
    return Ran(
        case,
        digest=digest(world.host.logs),
        events=len(world.events),
        restarts=world.host.restarts,
        outcomes=outcomes(world),
        faults=world.host.fate.occurred + world.partners.whims.occurred,
    )


def _line(recorded: RecordedEvent) -> str:
    at = recorded.at.strftime("%H:%M:%S.%f")[:-3]
    return f"{at}  {recorded.source} {recorded.position}  {recorded.name}  {recorded.stream}"


def shrink(ran: Ran, on_smaller: Callable[[Case], object] = lambda case: None) -> Ran:
    """A law broken with as little as possible happening. `on_smaller` gets each smaller case that breaks it."""
    law, size = next(iter(ran.broken)), len(ran.case.parts())
    while size:
        smaller, parts = False, ran.case.parts()
        for start in range(0, len(parts), size):  # many at once first, then each by itself
            tried = run(ran.case.less(*parts[start : start + size]))
            if law in tried.broken:
                ran, smaller = tried, True
                on_smaller(ran.case)
        size = min(size // 2, len(ran.case.parts())) if size > 1 else int(smaller)
    return ran
