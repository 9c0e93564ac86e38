"""Random numbers that a seed determines."""

from __future__ import annotations

import random


class Luck(random.Random):
    """A stream of random numbers. `fork` gives another stream, which does not depend on how much of this one is
    used."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)  # a text is hashed with SHA-512: the same on every machine
        self.name = seed

    def chance(self, rate: float) -> bool:
        """True with the given probability."""
        return rate > 0 and self.random() < rate

    def fork(self, name: str) -> Luck:
        """An independent stream."""
        return Luck(f"{self.name}/{name}")
