"""How partners misbehave, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from shared.hosting.simulated.luck import Luck

# The most of each, as a probability for each occasion.
MOST = {
    "unreachable": 0.2,
    "unanswered": 0.3,
    "delayed": 0.2,
    "erring": 0.2,
    "garbled": 0.2,
    "down": 0.5,
    "failing": 0.4,
    "pending": 0.6,
    "pending_failing": 0.4,
    "silent": 0.3,
    "stuck": 0.4,
    "callback_late": 0.4,
    "callback_twice": 0.4,
    "callback_lost": 0.4,
    "wrong_amount": 0.4,
    "wrong_payment": 0.4,
    "forged": 0.4,
    "wrong_supplier": 0.4,
}


@dataclass(frozen=True, slots=True)
class Manners:
    """Probabilities. For each request to a partner: `unreachable`, so that nothing was done; `unanswered` though it
    was carried out; `delayed`, unanswered and carried out later; `erring`, 500 and nothing done; `garbled`, 502 though
    it was carried out. For each while of about half a minute: `down`, 503 to everything.
    For each new purchase: `failing` for certain; `silent`, done only when looked up; `pending`, of which some end
    `pending_failing` and some are `stuck` for ever. For each callback: `callback_late`, `callback_twice`,
    `callback_lost`; before a true one come others of a `wrong_amount` or a `wrong_payment`, and `forged` ones before
    anybody paid; with a purchase comes one of the `wrong_supplier`.
    """

    unreachable: float = 0.0
    unanswered: float = 0.0
    delayed: float = 0.0
    erring: float = 0.0
    garbled: float = 0.0
    down: float = 0.0
    failing: float = 0.0
    pending: float = 0.0
    pending_failing: float = 0.0
    silent: float = 0.0
    stuck: float = 0.0
    callback_late: float = 0.0
    callback_twice: float = 0.0
    callback_lost: float = 0.0
    wrong_amount: float = 0.0
    wrong_payment: float = 0.0
    forged: float = 0.0
    wrong_supplier: float = 0.0

    @staticmethod
    def drawn(luck: Luck) -> Manners:
        """Each rate anew: nothing of it, the most of it, or something between."""
        return Manners(**{name: luck.choice((0.0, luck.random(), 1.0)) * most for name, most in MOST.items()})


PERFECT = Manners()


class Whims:
    """Decides, misbehaviour by misbehaviour, and counts what occurred."""

    def __init__(self, manners: Manners, luck: Luck) -> None:
        self.manners, self.occurred = manners, Counter[str]()
        self._streams = {field.name: luck.fork(field.name) for field in fields(Manners)}

    def strike(self, name: str) -> bool:
        """Whether this happens now."""
        if not self._streams[name].chance(getattr(self.manners, name)):
            return False
        self.occurred[name] += 1
        return True

    def heal(self) -> None:
        """From now on everybody behaves."""
        self.manners = PERFECT
