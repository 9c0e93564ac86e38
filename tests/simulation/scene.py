"""What everybody in the world shares: the host, the screens, the requests, the partners, and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.runtime.simulated.host import Simulated
from tests.simulation.partners import Partners
from tests.simulation.requests import Requests
from tests.simulation.window import Window


@dataclass
class Scene:
    """`scheduled` counts what people still mean to do."""

    host: Simulated
    window: Window
    requests: Requests
    partners: Partners
    scheduled: int = 0

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have somebody do something so many seconds from now."""

        def do() -> None:
            self.scheduled -= 1
            act()

        self.scheduled += 1
        self.host.timeline.after(seconds, do)
