"""What names one run: a seed, and what is left out of what the seed draws."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from shared.runtime.simulated.faults import Faults
from shared.runtime.simulated.luck import Luck
from tests.simulation.manners import Manners
from tests.simulation.scenario import Plan


@dataclass(frozen=True, slots=True)
class Case:
    """`without` names purchases (`o-3`), faults (`lost`) and bad manners (`forged`) that do not occur."""

    seed: str
    without: frozenset[str] = frozenset()

    @staticmethod
    def parse(line: str) -> Case:
        """As `str` writes it: the seed, then what is left out."""
        seed, *without = line.split()
        return Case(seed, frozenset(without))

    def __str__(self) -> str:
        return " ".join((self.seed, *sorted(self.without)))

    @property
    def command(self) -> str:
        """What replays it."""
        without = "".join(f" --without {name}" for name in sorted(self.without))
        return f"python -m tests.simulation --seed {self.seed}{without}"

    def luck(self) -> Luck:
        return Luck(self.seed)

    def plan(self) -> Plan:
        plan = Plan.drawn(self.luck().fork("plan"))
        purchases = tuple(purchase for purchase in plan.purchases if purchase.order_id not in self.without)
        return replace(plan, purchases=purchases, manners=replace(plan.manners, **self._absent(Manners)))

    def faults(self) -> Faults:
        return replace(Faults.drawn(self.luck().fork("rates")), **self._absent(Faults))

    def _absent(self, kind: type[Faults] | type[Manners]) -> dict[str, float]:
        return {field.name: 0.0 for field in fields(kind) if field.name in self.without}

    def parts(self) -> list[str]:
        """What could still be left out."""
        plan, faults = self.plan(), self.faults()
        purchases = [purchase.order_id for purchase in plan.purchases]
        rates = [field.name for kind in (faults, plan.manners) for field in fields(kind) if getattr(kind, field.name)]
        return [*purchases, *rates]

    def less(self, *names: str) -> Case:
        """The same with something left out."""
        return Case(self.seed, self.without | {*names})
