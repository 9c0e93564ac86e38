"""What must have happened over many runs: what never occurs is not tested."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

from shared.runtime.simulated.faults import Faults
from tests.simulation.manners import Manners
from tests.simulation.outcomes import MEANINGS

FAULTS = tuple(field.name for kind in (Faults, Manners) for field in fields(kind))


def never(outcomes: Counter[str], faults: Counter[str]) -> list[str]:
    """The outcomes and faults that did not occur once."""
    return [name for name in MEANINGS if not outcomes[name]] + [name for name in FAULTS if not faults[name]]
