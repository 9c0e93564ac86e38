"""Worlds to test, and a host that carries nothing anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from shared.contracts import Command
from shared.messages.messages import Reply
from shared.runtime.service import HostContext
from shared.runtime.settings import Settings
from shared.runtime.simulated.faults import NONE
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
from tests.simulation.manners import PERFECT, Manners
from tests.simulation.partners import Partners
from tests.simulation.scenario import Limits, Plan


class Deaf(Simulated):
    """No services: whatever is sent is kept in `sent`, with its actor, and answered by `reply`."""

    def __init__(self, settings: Settings, partners: Partners, reply: Reply | None) -> None:
        super().__init__([], Luck("deaf"), NONE, settings, partners)
        self.reply = reply
        self.sent: list[tuple[str, Command, str]] = []

    def send(
        self,
        service: str,
        command: Command,
        *,
        id_: str,
        actor: str,
        done: Callable[[Reply | None], object],
        deadline_seconds: float = 10,
    ) -> None:
        self.sent.append((id_, command, actor))
        self.timeline.after(1, lambda: done(self.reply))

    def pass_time(self, seconds: float) -> None:
        until = self.timeline.now() + timedelta(seconds=seconds)
        self.timeline.after(seconds, lambda: None)
        while self.timeline.now() < until:
            self.timeline.step()

    def context(self) -> HostContext:
        return HostContext(self.settings, self.clock, self.ids, self.secrets, self._client_of)


ACCEPTED = Reply("accepted", "ledger", 1)


def deaf(manners: Manners = PERFECT, reply: Reply | None = ACCEPTED) -> tuple[Deaf, Partners]:
    """Partners of these manners, in business with nobody."""
    partners = Partners(manners, Luck("partners"))
    host = Deaf(Limits().settings(), partners, reply)
    partners.move_in(host)
    return host, partners


def calm(seed: str) -> Plan:
    """The plan of a seed, with partners that behave."""
    return replace(Plan.drawn(Luck(seed).fork("plan")), manners=PERFECT)
