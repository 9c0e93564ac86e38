"""How partners misbehave, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

from shared.runtime.simulated.luck import Luck

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
    "other_amount": 0.3,
    "other_currency": 0.2,
    "late_success": 0.4,
    "close_refused": 0.4,
    "close_crossed": 0.4,
    "close_feigned": 0.4,
    "refund_refused": 0.5,
    "refund_pending": 0.4,
    "refund_misstated": 0.3,
    "refund_short": 0.3,
    "relenting": 0.9,
    "other_bill": 0.6,
    "odd_bill": 0.6,
    "taken_back": 0.6,
    "odd_goods": 0.6,
    "unreadable": 0.3,
    "own_goods": 0.6,
    "supplied_keys": 0.6,
}


@dataclass(frozen=True, slots=True)
class Manners:
    """Probabilities. For each request to a partner: `unreachable`, so that nothing was done; `unanswered` though it
    was carried out; `delayed`, unanswered and carried out later; `erring`, 500 and nothing done; `garbled`, 502 though
    it was carried out. For each while of about half a minute: `down`, 503 to everything.
    For each new purchase: `failing` for certain; `silent`, done only when looked up; `pending`, of which some end
    `pending_failing` and some are `stuck` for ever. For each callback: `callback_late`, `callback_twice`,
    `callback_lost`; before a true one come others of a `wrong_amount` or a `wrong_payment`, and `forged` ones before
    anybody paid; with a purchase comes one of the `wrong_supplier`; before a true one of anybody comes an
    `unreadable` one.
    For each payment that is made: an `other_amount` or an `other_currency` is taken; a `late_success` is told as failed
    first. For each request to close a payment that nobody made: `close_refused` this time; `close_crossed`, for it is
    paid that very moment; `close_feigned`, said to be closed and paid some time later. For each refund:
    `refund_refused` this time, `refund_pending` for a while, or `refund_misstated`, answered with another amount than
    was paid back, or `refund_short`, of a fen less than was asked for.
    For each purchase that failed: `relenting`, done after all some time later. For each that is done: `other_bill`,
    told again with another cost; `odd_bill`, told again with a cost that cannot be; `taken_back`, told to have failed.
    For each that delivers texts: `odd_goods`, other ones than were sold: too few or many, one twice, a blank one, one
    that was delivered before; `own_goods`, with one of our own stock. For each product from stock: `supplied_keys`,
    an import of one that a supplier delivered.
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
    other_amount: float = 0.0
    other_currency: float = 0.0
    late_success: float = 0.0
    close_refused: float = 0.0
    close_crossed: float = 0.0
    close_feigned: float = 0.0
    refund_refused: float = 0.0
    refund_pending: float = 0.0
    refund_misstated: float = 0.0
    refund_short: float = 0.0
    relenting: float = 0.0
    other_bill: float = 0.0
    odd_bill: float = 0.0
    taken_back: float = 0.0
    odd_goods: float = 0.0
    unreadable: float = 0.0
    own_goods: float = 0.0
    supplied_keys: float = 0.0

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
