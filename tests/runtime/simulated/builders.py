"""A toy cluster in simulation, whose button is pressed under faults."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import HALTED, Reply
from shared.runtime.settings import Settings
from shared.runtime.simulated.client import AGAIN_SECONDS
from shared.runtime.simulated.faults import Faults
from shared.runtime.simulated.host import Simulated, digest
from shared.runtime.simulated.luck import Luck
from tests.runtime.toy import ToyPress, button, lamp

NOTES = ("", "call", "later", "at-once", "count", "cancel")


def nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there", request=request)


@dataclass
class Toys:
    """`answers` holds the last answer to each press; `committed` the events that were committed, in order."""

    seed: str
    faults: Faults
    presses: int = 20
    answers: dict[str, Reply | None] = field(default_factory=dict)
    committed: list[RecordedEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        luck = Luck(self.seed)
        transport = httpx.MockTransport(nobody)
        self.host = Simulated([button(), lamp()], luck, self.faults, Settings(), transport, self.committed.append)

    def press(self, number: int) -> None:
        name = f"press-{number}"
        command = ToyPress(button=f"b{number % 3}", note=NOTES[number % len(NOTES)])

        def done(reply: Reply | None) -> None:
            is_decided = reply is not None and reply.code != HALTED
            self.answers[name] = reply if is_decided else None
            if not is_decided:
                self.host.timeline.after(AGAIN_SECONDS, lambda: self.press(number))

        self.host.send("button", command, id_=name, actor="guest", done=done)

    def run(self) -> None:
        """Press while things go wrong, heal, and wait until all is done."""
        with self.host as host:
            for number in range(self.presses):
                host.timeline.after(host.luck.uniform(0, 60), lambda number=number: self.press(number))
            host.run(lambda: False, 120)
            host.heal()
            assert host.run(self.is_done, 86_400), (self.answers, host.lags())
            assert not any(process.writer.parked.count() for process in host.processes.values())
            self.digest = digest(host.logs)

    def is_done(self) -> bool:
        if len(self.answers) < self.presses or None in self.answers.values():
            return False
        return not any(lag for by in self.host.lags().values() for lag in by.values())
