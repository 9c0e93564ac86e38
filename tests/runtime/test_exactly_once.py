"""Whatever happens in between, each press lights once, is called for once, and is counted once."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.contracts import Command, DecisionContext, Event
from shared.messages.messages import Reply
from shared.writer.inputs import ReplayParked
from tests.platform.harness import Harness
from tests.runtime.builders import (
    Outage,
    failing,
    failing_commit,
    logged,
    parked,
    press,
    rows,
)
from tests.runtime.toy import (
    REFUSING,
    Adapters,
    Count,
    ToyCallEnded,
    ToyCounted,
    ToyDimmed,
    ToyLight,
    ToyLit,
    ToyPressed,
    button,
    decide_lamp,
    lamp,
    lamps,
)

BUTTONS = st.sampled_from(["a", "b", "c"])
NOTES = st.sampled_from(["plain", "count", "later", "call", "lamp-poison", REFUSING])
STEPS = ["UPDATE readers", "INSERT INTO commands", "INSERT INTO lamps", "INSERT INTO log", "INSERT INTO agenda",
         "UPDATE head", "FROM log", "FROM snapshots"]  # fmt: skip


class Presses(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(TemporaryDirectory()))
        self.adapters = Adapters()
        self.harness: Harness | None = None
        self.accepted: dict[str, tuple[str, str]] = {}
        self.sent: dict[str, tuple[str, str]] = {}
        self.restart()

    @rule()
    def restart(self) -> None:
        """What the running host had in memory is lost."""
        now = self.harness.now if self.harness else None
        self.close()
        services = [button(), lamp(self.adapters, attempts=50)]
        self.harness = Harness(self.folder, services, now=now) if now else Harness(self.folder, services)

    def close(self) -> None:
        if self.harness:
            for runner in self.harness.loops.values():
                runner.writer.engine.dispose()

    @property
    def host(self) -> Harness:
        assert self.harness is not None
        return self.harness

    @rule(name=BUTTONS, note=NOTES, drain=st.booleans())
    def press(self, name: str, note: str, drain: bool) -> None:
        id_ = f"press-{len(self.sent)}"
        self.sent[id_] = name, note
        self.take(id_, drain)

    @rule(data=st.data(), drain=st.booleans())
    def repeat(self, data: st.DataObject, drain: bool) -> None:
        if self.sent:
            self.take(data.draw(st.sampled_from(sorted(self.sent))), drain)

    def take(self, id_: str, drain: bool) -> None:
        name, note = self.sent[id_]
        reply: Reply = self.host.send("button", press(id_, name, note=note).command, id_=id_, drain=drain)
        assert reply.outcome == ("refused" if note == REFUSING else "accepted")
        if reply.outcome == "accepted":
            self.accepted[id_] = name, note

    @rule(name=BUTTONS, note=NOTES, service=st.sampled_from(["button", "lamp"]), step=st.sampled_from(STEPS),
          after=st.integers(0, 2), again=st.booleans())  # fmt: skip
    def break_down(self, name: str, note: str, service: str, step: str, after: int, again: bool) -> None:
        """A database fails at one step, then the process dies or goes on."""
        id_ = f"press-{len(self.sent)}"
        self.sent[id_] = name, note
        with failing(self.host.loops[service].writer.engine, step, after=after):
            self.try_to(id_)
        self.recover(id_, again)

    @rule(name=BUTTONS, note=NOTES, service=st.sampled_from(["button", "lamp"]), committed=st.booleans(),
          again=st.booleans())  # fmt: skip
    def break_at_commit(self, name: str, note: str, service: str, committed: bool, again: bool) -> None:
        id_ = f"press-{len(self.sent)}"
        self.sent[id_] = name, note
        with failing_commit(self.host.loops[service].writer.engine, committed=committed):
            self.try_to(id_)
        self.recover(id_, again)

    def try_to(self, id_: str) -> None:
        try:
            self.take(id_, drain=True)
        except Outage:
            return

    def recover(self, id_: str, again: bool) -> None:
        if not again:
            self.restart()
        self.take(id_, drain=True)

    @rule(seconds=st.integers(1, 90), failures=st.integers(0, 2))
    def advance(self, seconds: int, failures: int) -> None:
        self.adapters.failures = failures
        self.host.advance(seconds)

    @rule()
    def replay(self) -> None:
        for id_ in parked(self.host.loops["lamp"].writer):
            self.host.loops["lamp"].offer(ReplayParked(id_))
        self.host.drain()

    @invariant()
    def each_press_is_in_the_log_once(self) -> None:
        found = [event for event in logged(self.host.loops["button"].writer) if isinstance(event, ToyPressed)]
        assert Counter((event.button, event.note) for event in found) == Counter(self.accepted.values())

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        self.restart()
        self.adapters.failures = 0
        self.host.network.announce("button")
        self.mend()
        for _ in range(30):
            self.host.advance(150)
        self.settled()
        self.close()
        self.stack.close()

    def mend(self) -> None:
        """What made messages poisonous is mended; people replay what was parked."""
        aggregate = self.host.loops["lamp"].writer.service.aggregates[0]

        def mended(command: Command, state: Count, given: DecisionContext) -> list[Event]:
            if isinstance(command, ToyLight):
                return [ToyLit(lamp=command.lamp, press=command.press, note=command.note)]
            return decide_lamp(command, state, given)

        object.__setattr__(aggregate, "decide", mended)
        self.replay()

    def settled(self) -> None:
        writer = self.host.loops["lamp"].writer
        found = logged(writer)
        assert parked(writer) == []
        lit = Counter((event.lamp, event.note) for event in found if isinstance(event, ToyLit))
        assert lit == Counter(self.accepted.values())
        counted = sum(isinstance(event, ToyCounted) for event in found)
        assert counted == sum(note == "count" for _, note in self.accepted.values())
        assert {row["lamp"]: row["lit"] for row in rows(writer.engine, lamps)} == dict(
            Counter(name for name, _ in self.accepted.values())
        )
        wanted = {name for name, note in self.accepted.values() if note == "later"}
        assert {event.lamp for event in found if isinstance(event, ToyDimmed)} == wanted
        called = {name for name, note in self.accepted.values() if note == "call"}
        assert {event.lamp for event in found if isinstance(event, ToyCallEnded)} == called


TestExactlyOnce = Presses.TestCase
TestExactlyOnce.settings = settings(max_examples=15, stateful_step_count=12)
