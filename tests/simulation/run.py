"""Runs one case under every law."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.eventlog.recorded import Recorded
from shared.hosting.simulated.host import digest
from shared.laws import Violation, Watch, watch
from tests.simulation.case import Case
from tests.simulation.judge import findings
from tests.simulation.outcomes import outcomes
from tests.simulation.world import World, inhabited

UNHANDLED = "Unhandled"
SHOWN = 25


@dataclass(frozen=True)
class Ran:
    """What a run came to. `law` is the first one broken, empty when all held; `digest` fingerprints the logs; `trace`
    has the last events, and what broke."""

    case: Case
    law: str = ""
    detail: str = ""
    trace: tuple[str, ...] = ()
    digest: str = ""
    events: int = 0
    restarts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def run(case: Case) -> Ran:
    """The same case gives the same Ran, always and everywhere."""
    watching = watch(_raise)
    with inhabited(case.plan(), case.luck(), case.faults(), watching.saw) as world:
        try:
            ended = world.run()
        except Violation as violation:
            return _broken(case, world, violation.law, violation.detail)
        except Exception as error:  # noqa: BLE001 - whatever escapes a service is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}:{where.lineno})"
            return _broken(case, world, UNHANDLED, detail)
        return _judged(case, world, watching, [] if ended else world.rest())


def _raise(violation: Violation) -> None:
    raise violation


def _judged(case: Case, world: World, watching: Watch, rest: list[str]) -> Ran:
    for finding in findings(world, watching, rest):
        if not finding.ok:
            return _broken(case, world, finding.law, "; ".join(finding.violations))
    return Ran(
        case,
        digest=digest(world.host.logs),
        events=len(world.events),
        restarts=world.host.restarts,
        outcomes=outcomes(world),
        faults=world.host.fate.occurred + world.partners.whims.occurred,
    )


def _broken(case: Case, world: World, law: str, detail: str) -> Ran:
    trace = [*map(_line, world.events[-SHOWN:]), f"{law}: {detail}"]
    return Ran(case, law, detail, tuple(trace), events=len(world.events))


def _line(recorded: Recorded) -> str:
    at = recorded.at.strftime("%H:%M:%S.%f")[:-3]
    return f"{at}  {recorded.source} {recorded.position}  {recorded.name}  {recorded.stream}"


def shrink(ran: Ran, told: Callable[[Case], object] = lambda case: None) -> Ran:
    """The same violation with as little as possible happening. `told` hears of each smaller case that has it."""
    smaller = True
    while smaller:
        smaller = False
        for part in ran.case.parts():
            tried = run(ran.case.less(part))
            if tried.law == ran.law:
                ran, smaller = tried, True
                told(ran.case)
    return ran
