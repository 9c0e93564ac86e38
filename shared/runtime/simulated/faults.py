"""The faults of a simulation, and their rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from shared.runtime.simulated.luck import Luck

# The highest rate of each fault, as a probability for each occasion.
MOST = {
    "lost": 0.2,
    "doubled": 0.2,
    "late": 0.2,
    "refused": 0.05,
    "unanswered": 0.03,
    "crashed": 0.003,
    "frozen": 0.01,
    "mute": 0.1,
    "jumped": 0.5,
    "leapt": 0.1,
    "wiped": 0.3,
    "cut": 0.5,
}


@dataclass(frozen=True, slots=True)
class Faults:
    """Probabilities. On the network, for each message: `lost`, `doubled`, `late` by seconds (and so out of order).
    In the store, for each transaction: `refused` by a serialisation error, `unanswered` though it was committed.
    For each step that a process makes: `crashed`; for each batch: `frozen` until after another has taken its place;
    for each commit: `mute`, it is not published. For each while of about ten seconds: a process's clock has
    `jumped` by some seconds, or has `leapt` by hours and is set right again, the broker has lost all it held (`wiped`),
    a process is `cut` off from the broker.
    """

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    refused: float = 0.0
    unanswered: float = 0.0
    crashed: float = 0.0
    frozen: float = 0.0
    mute: float = 0.0
    jumped: float = 0.0
    leapt: float = 0.0
    wiped: float = 0.0
    cut: float = 0.0

    @staticmethod
    def drawn(luck: Luck) -> Faults:
        """Draw each rate: zero, the highest, or something between."""
        return Faults(**{name: luck.choice((0.0, 0.0, luck.random(), 1.0)) * most for name, most in MOST.items()})


NONE = Faults()


class Fate:
    """Decides whether each fault happens, and counts those that did."""

    def __init__(self, faults: Faults, luck: Luck) -> None:
        self.faults, self.occurred = faults, Counter[str]()
        self._streams = {field.name: luck.fork(field.name) for field in fields(Faults)}

    def strikes(self, name: str) -> bool:
        """Whether this fault happens now."""
        rate: float = getattr(self.faults, name)
        if not rate or self._streams[name].random() >= rate:
            return False
        self.occurred[name] += 1
        return True

    def heal(self) -> None:
        """No fault happens from now on."""
        self.faults = NONE
