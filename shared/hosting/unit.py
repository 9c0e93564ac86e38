"""One unit of work: messages are decided one by one in memory, then everything is written together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.contracts import Command, Decided, Event, Given, Later, Metadata, Refused, decode_command
from shared.eventlog.agenda import back_off
from shared.eventlog.engines import is_outage
from shared.eventlog.log import to_text
from shared.eventlog.parking import event_key, parked_event
from shared.eventlog.recorded import Recorded
from shared.hosting.desk import Desk
from shared.hosting.work import ALL_DUE, CallDone, CallFailed, Discard, Due, Outcome, Replay, Work, ref_of
from shared.messaging.port import CommandMessage, Reply, Slice

LEASE = timedelta(seconds=120)
WAITS = "waits behind an earlier parked message of its key"


class Guilty(Exception):
    """Handling the message called `ref` raised; the cause is the `__cause__`."""

    def __init__(self, ref: str) -> None:
        super().__init__(ref)
        self.ref = ref


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

    desk: Desk
    now: datetime
    condemned: dict[str, str]
    events: list[Recorded] = field(default_factory=list)
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)

    def run(self, works: Iterable[Work]) -> None:
        """Decide everything. Raises Guilty for the first message that can't be handled."""
        works = list(works)
        self.desk.remembered.get_many([(work.id,) for work in works if isinstance(work, CommandMessage)])
        slices = {id(work): list(self._unseen(work)) for work in works if isinstance(work, Slice)}
        self.desk.memory.load(self._streams(works, slices))
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
                case Discard(parked_id=parked_id):
                    self._discard(parked_id)
                case Due(limit=limit):
                    self._due(limit)
        self.outcome.calls = self.desk.agenda.lease(self.now, LEASE)

    def _streams(self, works: list[Work], slices: dict[int, list[Recorded]]) -> Iterator[str]:
        for work in works:
            if isinstance(work, CommandMessage):
                yield from self._known([work.command])
            elif isinstance(work, CallDone):
                yield from self._known([work.result])
            elif isinstance(work, Slice):
                for recorded in slices[id(work)]:
                    if self._is_held_back(recorded):
                        continue
                    with self._blamed(self._ref(recorded)):
                        yield from self._known(self.desk.react(recorded))

    def _known(self, commands: Iterable[Command]) -> list[str]:
        return [self.desk.stream_of(command) for command in commands if self.desk.decides(command)]

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
            if is_outage(error):
                raise
            raise Guilty(ref) from error

    # Slices

    def _unseen(self, part: Slice) -> Iterator[Recorded]:
        before, reached = self.moved.get(part.source) or (self.desk.positions[part.source],) * 2
        if part.last <= reached:
            return
        if part.first > reached + 1:
            self.outcome.gaps.add(part.source)
            return
        self.moved[part.source] = (before, part.last)
        for recorded in part.events:
            if recorded.position > reached and recorded.name in self.desk.heard:
                yield recorded

    def _is_held_back(self, recorded: Recorded) -> bool:
        return self._ref(recorded) in self.condemned or self.desk.parked.holds(event_key(recorded))

    def _heard(self, recorded: Recorded) -> None:
        ref = self._ref(recorded)
        if self._is_held_back(recorded):
            self.desk.parked.park_event(ref, recorded, self.condemned.get(ref, WAITS), self.now)
            return
        self._apply_heard(ref, recorded)

    def _apply_heard(self, ref: str, recorded: Recorded) -> None:
        with self._blamed(ref):
            if recorded.name in self.desk.projected:
                self.desk.tables.apply(recorded.event, recorded)
            commands = self.desk.react(recorded)
        for index, command in enumerate(commands, start=1):
            self._internal(Task(self._ref(recorded, index), command, recorded.id, self.desk.meta_after(recorded)))

    # Commands

    def _command(self, message: CommandMessage) -> None:
        self.outcome.replies.append((message, self._remembered(message) or self._new(message)))

    def _remembered(self, message: CommandMessage) -> Reply | None:
        row = self.desk.remembered.get(message.id)
        if row is None:
            return None
        reply = Reply(**json.loads(row["reply"]))
        if row["fingerprint"] == message.command.fingerprint():
            return replace(reply, repeated=True)
        detail = "this id was used before for another command"
        return replace(self._no("conflict", "idempotency-conflict", detail, 409), position=reply.position)

    def _new(self, message: CommandMessage) -> Reply:
        ref = ref_of(message)
        task = Task(ref, message.command, message.id, message.meta)
        if not self.desk.decides(message.command):
            detail = f"{self.desk.service.name} does not decide {type(message.command).__name__}"
            return self._no("refused", "unknown-command", detail, 404)
        if ref in self.condemned:
            self._park_task(task, self.condemned[ref])
            reply = self._no("failed", "internal-error", "this could not be handled; staff have been told", 500)
        elif self.desk.parked.holds(self.desk.stream_of(message.command)):
            return self._no("failed", "held-back", "an earlier message of this key waits for staff", 503)
        else:
            reply = self._decided(task)
        self._remember(message.id, message.command, reply)
        return reply

    def _remember(self, id_: str, command: Command, reply: Reply) -> None:
        told = json.dumps(asdict(reply))
        row = {"id": id_, "fingerprint": command.fingerprint(), "reply": told, "at": to_text(self.now)}
        self.desk.remembered.put(row)

    def _decided(self, task: Task) -> Reply:
        with self._blamed(task.ref):
            try:
                answer = self._decide(task)
            except Refused as no:
                return self._no("refused", no.code, no.detail, no.status, no.facts)
        return Reply("accepted", self.desk.service.name, self._position(), answer)

    def _no(self, outcome: Any, code: str, detail: str, status: int, facts: Any = None) -> Reply:
        position = self._position()
        name = self.desk.service.name
        return Reply(outcome, name, position, code=code, detail=detail, status=status, facts=facts or {})

    def _position(self) -> int:
        return self.events[-1].position if self.events else self.desk.head.position

    def _internal(self, task: Task) -> None:
        """A command from a reaction, the agenda or an effect: a refusal here is our own error."""
        if task.ref in self.condemned:
            self._park_task(task, self.condemned[task.ref])
        elif self.desk.parked.holds(self.desk.stream_of(task.command)) and not task.ref.startswith("parked/"):
            self._park_task(task, WAITS)
        else:
            with self._blamed(task.ref):
                self._decide(task)

    def _decide(self, task: Task) -> dict[str, Any]:
        desk = self.desk
        aggregate = desk.service.aggregate_for(type(task.command))
        stream = desk.stream_of(task.command)
        state = desk.memory.get(stream).state
        look = aggregate.look.get(type(task.command))
        facts = look(task.command, state, desk.tables, desk.outside) if look else None
        decided = aggregate.decide(task.command, state, Given(self.now, task.command_id, task.meta, facts))
        if not isinstance(decided, Decided):
            decided = Decided(decided)
        for event in decided.events:
            self._append(stream, event, task)
        return dict(decided.answer)

    def _append(self, stream: str, event: Event, task: Task) -> None:
        desk = self.desk
        version = desk.memory.evolve(stream, event)
        meta = task.meta.model_copy(update={"causation_id": task.command_id})
        recorded = Recorded(
            desk.service.name, self._position() + 1, stream, version, desk.ports.new_id(), event.type(),
            event.model_dump_json(), meta.model_dump_json(), self.now, event, meta,
        )  # fmt: skip
        self.events.append(recorded)
        desk.tables.apply(event, recorded)
        planner = desk.service.plans.get(type(event))
        own = desk.meta_after(recorded)
        for plan in planner(event, self.now) if planner else ():
            if isinstance(plan, Later):
                desk.stream_of(plan.command)  # blames the planner now for a command that nobody could decide later
            desk.agenda.plan(plan, own, self.now)
        for index, command in enumerate(desk.react(recorded), start=1):
            self._own_reaction(Task(self._ref(recorded, index), command, recorded.id, own))

    def _own_reaction(self, task: Task) -> None:
        """Part of the decision that caused it: what fails here fails the whole."""
        if self.desk.parked.holds(self.desk.stream_of(task.command)):
            self._park_task(task, WAITS)
            return
        try:
            self._decide(task)
        except Refused as no:
            raise RuntimeError(f"a reaction was refused: {no}") from no

    # The agenda

    def _due(self, limit: int) -> None:
        taken = self.desk.agenda.take_commands(self.now, limit)
        self.desk.memory.load(self._known(due.command for due in taken))
        for due in taken:
            ref = f"agenda/{due.token}"
            if ALL_DUE in self.condemned:
                self.condemned[ref] = self.condemned[ALL_DUE]
            self._internal(Task(ref, due.command, ref, due.meta))

    def _call_done(self, done: CallDone) -> None:
        self.desk.agenda.finish(done.call)
        ref = ref_of(done)
        self._internal(Task(ref, done.result, ref, done.call.meta))

    def _call_failed(self, failed: CallFailed) -> None:
        call, agenda, ref = failed.call, self.desk.agenda, ref_of(failed)
        row = agenda.leased(call)
        if row is None:
            return
        if ref in self.condemned:
            agenda.give_up(row, self.condemned[ref])
            return
        with self._blamed(ref):
            effect = self.desk.service.effects[call.effect]
            if call.attempt < effect.attempts:
                wait = back_off(call.attempt, effect.first_delay_seconds, effect.longest_delay_seconds)
                agenda.postpone(row, self.now + wait, failed.error)
                return
            closing = effect.gave_up(call.payload, failed.error)
        agenda.give_up(row, failed.error)
        last = f"{ref}/last"
        self._internal(Task(last, closing, last, call.meta))

    # Parked messages

    def _park_task(self, task: Task, error: str) -> None:
        self.desk.parked.park_command(
            task.ref.removeprefix("parked/"),
            self.desk.stream_of(task.command),
            task.command,
            task.meta.model_copy(update={"causation_id": task.command_id}),
            error,
            self.now,
        )

    def _replay(self, replay: Replay) -> None:
        """Parked messages of a key go first in, first out: only the oldest may be tried."""
        row = self.desk.parked.oldest(replay.parked_id)
        if row is None:
            return
        ref = f"parked/{replay.parked_id}"
        if ref in self.condemned:
            self.desk.parked.failed_again(row, self.condemned[ref])
            return
        self.desk.parked.leave(row)
        with self._blamed(ref):
            if row["kind"] == "command":
                command, meta = decode_command(row["type"], row["data"]), Metadata.model_validate_json(row["meta"])
                self._again(row["id"], Task(ref, command, meta.causation_id, meta))
            else:
                self._apply_heard(ref, parked_event(row))

    def _again(self, id_: str, task: Task) -> None:
        if id_.startswith("command/"):
            self._remember(task.command_id, task.command, self._decided(task))
        else:
            self._internal(task)

    def _discard(self, parked_id: str) -> None:
        row = self.desk.parked.oldest(parked_id)
        if row is not None:
            self.desk.parked.leave(row)
