"""One unit of work: messages are decided one by one in memory, then everything is written together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.contracts import Command, Decided, Event, Given, Metadata, Refused, decode_command
from shared.eventlog.agenda import back_off
from shared.eventlog.log import to_text
from shared.eventlog.parking import event_key, parked_event
from shared.eventlog.recorded import Recorded
from shared.hosting.work import CallDone, CallFailed, Outcome, Replay, Work
from shared.messaging.port import CommandMessage, Reply, Slice

if TYPE_CHECKING:
    from shared.hosting.writer import Writer

LEASE = timedelta(seconds=120)


class Guilty(Exception):
    """Handling the message called `ref` raised; the cause is the `__cause__`."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


WAITS = "waits behind an earlier parked message of its key"


@dataclass(frozen=True, slots=True)
class Task:
    """A command to decide: `ref` names the message it came from, uniquely and the same on every try."""

    ref: str
    command: Command
    command_id: str
    meta: Metadata


@dataclass(slots=True)
class Unit:
    """The work of one transaction. `condemned` maps the refs to park to their errors."""

    writer: Writer
    now: datetime
    condemned: dict[str, str]
    events: list[Recorded] = field(default_factory=list)
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)

    def run(self, works: Iterable[Work]) -> None:
        """Decide everything. Raises Guilty for the first message that can't be handled."""
        works = list(works)
        self.writer.remembered.get_many([(work.id,) for work in works if isinstance(work, CommandMessage)])
        slices = {id(work): list(self._unseen(work)) for work in works if isinstance(work, Slice)}
        self.writer.memory.load(self._streams(works, slices))
        for work in works:
            match work:
                case CommandMessage():
                    self._command(work)
                case Slice():
                    for recorded in slices[id(work)]:
                        self._heard(recorded)
                case CallDone():
                    self._call_done(work)
                case CallFailed():
                    self._call_failed(work)
                case Replay():
                    self._replay(work)
        for due in self.writer.agenda.take_commands(self.now, limit=500):
            ref = f"agenda/{due.key}"
            self._internal(Task(ref, due.command, ref, due.meta))
        self.outcome.calls = self.writer.agenda.lease(self.now, LEASE)

    def _streams(self, works: list[Work], slices: dict[int, list[Recorded]]) -> Iterator[str]:
        for work in works:
            if isinstance(work, CommandMessage):
                yield self.writer.stream_of(work.command)
            elif isinstance(work, Slice):
                for recorded in slices[id(work)]:
                    with self._blamed(self._ref(recorded)):
                        yield from (self.writer.stream_of(command) for command in self.writer.react(recorded))

    @staticmethod
    def _ref(recorded: Recorded, index: int = 0) -> str:
        return f"{recorded.source}/{recorded.position}/{index}"

    @contextmanager
    def _blamed(self, ref: str) -> Iterator[None]:
        try:
            yield
        except Guilty:
            raise
        except Exception as error:
            raise Guilty(ref) from error

    # Slices

    def _unseen(self, part: Slice) -> Iterator[Recorded]:
        before, reached = self.moved.get(part.source) or (self.writer.positions[part.source],) * 2
        if part.last <= reached:
            return
        if part.first > reached + 1:
            self.outcome.gaps.add(part.source)
            return
        self.moved[part.source] = (before, part.last)
        for recorded in part.events:
            if recorded.position > reached and recorded.name in self.writer.heard:
                yield recorded

    def _heard(self, recorded: Recorded) -> None:
        ref = self._ref(recorded)
        if ref in self.condemned or self.writer.parked.holds(event_key(recorded)):
            self.writer.parked.park_event(ref, recorded, self.condemned.get(ref, WAITS), self.now)
            return
        self._apply_heard(ref, recorded)

    def _apply_heard(self, ref: str, recorded: Recorded) -> None:
        with self._blamed(ref):
            if recorded.name in self.writer.projected:
                self.writer.tables.apply(recorded.event, recorded)
            commands = self.writer.react(recorded)
        for index, command in enumerate(commands, start=1):
            self._internal(Task(self._ref(recorded, index), command, recorded.id, self.writer.meta_after(recorded)))

    # Commands

    def _command(self, message: CommandMessage) -> None:
        writer, print_ = self.writer, fingerprint(message.command)
        row = writer.remembered.get(message.id)
        if row is not None:
            reply = Reply(**json.loads(row["reply"]))
            if row["fingerprint"] != print_:
                reply = Reply("conflict", writer.service.name, reply.position, code="idempotency-conflict",
                              detail="this id was used before for another command", status=409)  # fmt: skip
            else:
                reply = Reply(**{**asdict(reply), "repeated": True})
            self.outcome.replies[message.id] = reply
            return
        ref = f"command/{message.id}"
        task = Task(ref, message.command, message.id, message.meta)
        if ref in self.condemned:
            self._park_task(task, self.condemned[ref])
            reply = self._no("failed", "internal-error", "this could not be handled; staff have been told", 500)
        elif writer.parked.holds(writer.stream_of(message.command)):
            reply = self._no("failed", "held-back", "an earlier message of this key waits for staff", 503)
            self.outcome.replies[message.id] = reply
            return
        else:
            reply = self._decided(task)
        self.outcome.replies[message.id] = reply
        writer.remembered.put(
            {"id": message.id, "fingerprint": print_, "reply": json.dumps(asdict(reply)), "at": to_text(self.now)}
        )

    def _decided(self, task: Task) -> Reply:
        with self._blamed(task.ref):
            try:
                answer = self._decide(task)
            except Refused as no:
                return self._no("refused", no.code, no.detail, no.status, no.facts)
        return Reply("accepted", self.writer.service.name, self._position(), answer)

    def _no(self, outcome: Any, code: str, detail: str, status: int, facts: Any = None) -> Reply:
        position = self._position()
        name = self.writer.service.name
        return Reply(outcome, name, position, code=code, detail=detail, status=status, facts=facts or {})

    def _position(self) -> int:
        return self.events[-1].position if self.events else self.writer.head.position

    def _internal(self, task: Task) -> None:
        """A command from a reaction, the agenda or an effect: a refusal here is our own error."""
        stream = self.writer.stream_of(task.command)
        if task.ref in self.condemned:
            self._park_task(task, self.condemned[task.ref])
        elif self.writer.parked.holds(stream) and not task.ref.startswith("parked/"):
            self._park_task(task, WAITS)
        else:
            with self._blamed(task.ref):
                self._decide(task)

    def _decide(self, task: Task) -> dict[str, Any]:
        writer = self.writer
        aggregate = writer.service.aggregate_for(type(task.command))
        stream = writer.stream_of(task.command)
        state = writer.memory.get(stream).state
        look = aggregate.look.get(type(task.command))
        facts = look(task.command, state, writer.tables, writer.outside) if look else None
        decided = aggregate.decide(task.command, state, Given(self.now, task.command_id, task.meta, facts))
        if not isinstance(decided, Decided):
            decided = Decided(decided)
        for event in decided.events:
            self._append(stream, event, task)
        return dict(decided.answer)

    def _append(self, stream: str, event: Event, task: Task) -> None:
        writer = self.writer
        version = writer.memory.evolve(stream, event)
        meta = task.meta.model_copy(update={"causation_id": task.command_id})
        recorded = Recorded(
            writer.service.name, self._position() + 1, stream, version, writer.ports.new_id(), event.type(),
            event.model_dump_json(), meta.model_dump_json(), self.now, event, meta,
        )  # fmt: skip
        self.events.append(recorded)
        writer.tables.apply(event, recorded)
        planner = writer.service.plans.get(type(event))
        own = writer.meta_after(recorded)
        for plan in planner(event, self.now) if planner else ():
            writer.agenda.plan(plan, own, self.now)
        for index, command in enumerate(writer.react(recorded), start=1):
            self._own_reaction(Task(self._ref(recorded, index), command, recorded.id, own))

    def _own_reaction(self, task: Task) -> None:
        """Part of the decision that caused it: what fails here fails the whole."""
        if self.writer.parked.holds(self.writer.stream_of(task.command)):
            self._park_task(task, WAITS)
            return
        try:
            self._decide(task)
        except Refused as no:
            raise RuntimeError(f"a reaction was refused: {no}") from no

    # Calls to the outside world

    def _call_done(self, done: CallDone) -> None:
        self.writer.agenda.finish(done.call.key, done.call.token)
        self._internal(self._from_call(done.call, done.result))

    def _from_call(self, call: Any, result: Command) -> Task:
        ref = f"call/{call.key}/{call.token}/{call.attempt}"
        return Task(ref, result, ref, call.meta)

    def _call_failed(self, failed: CallFailed) -> None:
        call, agenda = failed.call, self.writer.agenda
        row = agenda.finish(call.key, call.token)
        if row is None:
            return
        effect = self.writer.service.effects[call.effect]
        if call.attempt < effect.attempts:
            wait = back_off(call.attempt, effect.first_delay_seconds, effect.longest_delay_seconds)
            agenda.postpone(row, self.now + wait, failed.error)
        else:
            agenda.give_up(row, failed.error)
            self._internal(self._from_call(call, effect.gave_up(call.payload, failed.error)))

    # Parked messages

    def _park_task(self, task: Task, error: str) -> None:
        self.writer.parked.park_command(
            task.ref.removeprefix("parked/"),
            self.writer.stream_of(task.command),
            task.command,
            task.meta,
            error,
            self.now,
        )

    def _replay(self, replay: Replay) -> None:
        """Parked messages of a key go first in, first out: only the oldest may be tried."""
        row = self.writer.parked.oldest(replay.parked_id)
        if row is None:
            return
        ref = f"parked/{replay.parked_id}"
        if ref in self.condemned:
            self.writer.parked.failed_again(row, self.condemned[ref])
            return
        self.writer.parked.leave(row)
        with self._blamed(ref):
            if row["kind"] == "command":
                command, meta = decode_command(row["type"], row["data"]), Metadata.model_validate_json(row["meta"])
                self._internal(Task(ref, command, row["id"], meta))
            else:
                self._apply_heard(ref, parked_event(row))


def fingerprint(command: Command) -> str:
    """What two sendings of one command have in common: SHA-256 of its type and JSON, incidental fields left out."""
    body = command.model_dump_json(exclude=set(command.incidental))
    return hashlib.sha256(f"{command.type()}{body}".encode()).hexdigest()
