"""One unit of work: decides inputs one after the other in memory; their changes are written in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import orjson

from shared.contracts import (
    Command,
    Decided,
    DecisionContext,
    Event,
    Metadata,
    Refused,
    ScheduleCommand,
    decode_command,
)
from shared.eventstore.log import to_text
from shared.eventstore.recorded import RecordedEvent
from shared.messages.messages import CommandMessage, EventBatch, Reply
from shared.scheduler.expected import caused_by, ended, token_of
from shared.scheduler.scheduler import back_off
from shared.subscriptions.unknown_events import understood
from shared.writer.failures import FailureAttribution
from shared.writer.inputs import (
    ALL_DUE,
    CallDone,
    CallFailed,
    CommitResult,
    DiscardParked,
    DueCommands,
    Input,
    PendingCommand,
    ReceivedEvent,
    ReplayParked,
    ref_of,
)
from shared.writer.parked_messages import event_key, parked_event
from shared.writer.prefetch import prefetch
from shared.writer.state import WriterState

LEASE = timedelta(seconds=120)
WAITS = "waits behind an earlier parked message of its key"


@dataclass(slots=True)
class UnitOfWork:
    """The decisions and changes of one transaction. `poisoned` maps the refs of messages to park to their errors.

    `now`: the time from which deadlines count. `at`: the time of the new events, which never falls along a log.
    `unknown`: received events whose type this code does not know. `held`: for each source, the essential one among
    them; the source is not applied further than the position before it.
    """

    writer: WriterState
    now: datetime
    at: datetime
    poisoned: dict[str, str]
    events: list[RecordedEvent] = field(default_factory=list)
    moved: dict[str, tuple[int, int]] = field(default_factory=dict)
    hashes: dict[str, bytes] = field(default_factory=dict)
    unknown: list[RecordedEvent] = field(default_factory=list)
    held: dict[str, RecordedEvent] = field(default_factory=dict)
    result: CommitResult = field(default_factory=CommitResult)

    def run(self, inputs: Iterable[Input]) -> None:
        """Handle the inputs in order. Raises HandlingFailed for the first message that can't be handled."""
        inputs = list(inputs)
        reached = self.writer.positions
        self.moved = {name: (at, reached[name]) for name, at in self.writer.stored.items() if at != reached[name]}
        self.writer.known_commands.get_many([(work.id,) for work in inputs if isinstance(work, CommandMessage)])
        heard = [[self._receive(recorded) for recorded in self._new_events(work)] for work in inputs]
        self._prefetch(inputs, chain.from_iterable(heard))
        for work, events in zip(inputs, heard, strict=True):
            match work:
                case CommandMessage():
                    self._command(work)
                case EventBatch():
                    for event in events:
                        self._take(event)
                case CallDone():
                    self._call_done(work)
                case CallFailed():
                    self._call_failed(work)
                case ReplayParked():
                    self._replay(work)
                case DiscardParked(parked_id=parked_id):
                    self._discard(parked_id)
                case DueCommands(limit=limit):
                    self._due(limit)
        self.result.calls = self.writer.scheduler.lease(self.now, LEASE)

    def _prefetch(self, inputs: Iterable[Input], heard: Iterable[ReceivedEvent]) -> None:
        events = [event for event in heard if event.tasks is not None]
        tasks = [task for task in map(self._task_of, inputs) if task]
        tasks += [task for event in events for task in event.tasks or ()]
        prefetch(self.writer, events, [task for task in tasks if task.ref not in self.poisoned])

    def _task_of(self, work: Input) -> PendingCommand | None:
        match work:
            case CommandMessage() if self.writer.decides(work.command):
                return self._task(ref_of(work), work.command, work.id, work.meta)
            case CallDone() if self.writer.decides(work.result):
                return self._task(ref_of(work), work.result, ref_of(work), work.call.meta)
            case _:
                return None

    def _task(self, ref: str, command: Command, command_id: str, meta: Metadata) -> PendingCommand:
        return PendingCommand(ref, command, command_id, meta, self.writer.stream_of(command))

    # Batches of events

    def _new_events(self, work: Input) -> Iterator[RecordedEvent]:
        if not isinstance(work, EventBatch):
            return
        before, reached = self.moved.get(work.source) or (self.writer.stored[work.source],) * 2
        if work.source in self.writer.unknown.held or work.source in self.held:
            return
        match self.writer.check_continuity(work, reached, self.hash_at(work.source)):
            case "gap" | "old" | "other":
                return
            case "next":
                work, unknown, held = understood(work, self.writer.heard)
                self.unknown += (recorded for recorded in unknown if recorded.position > reached)
                if held is not None:
                    self.unknown.append(held)
                    self.held[work.source] = held
                if work.last > reached:
                    self.moved[work.source], self.hashes[work.source] = (before, work.last), work.hash
        for recorded in work.events:
            if recorded.position > reached and self.writer.is_relevant(recorded):
                yield recorded

    def hash_at(self, source: str) -> bytes:
        """The hash of a source's chain at the position applied so far; empty when not known."""
        return self.hashes.get(source, self.writer.hashes.get(source, b""))

    def _receive(self, recorded: RecordedEvent) -> ReceivedEvent:
        event = ReceivedEvent(f"{recorded.source}/{recorded.position}/0", recorded)
        if not self._is_held_back(event):
            with FailureAttribution(event.ref):
                event.tasks = self._after(recorded)
        return event

    def _after(self, recorded: RecordedEvent) -> Sequence[PendingCommand]:
        """The commands that the reactions answer an event with."""
        commands = self.writer.react(recorded)
        if not commands:
            return ()
        meta = self.writer.meta_after(recorded)
        return [
            self._task(f"{recorded.source}/{recorded.position}/{index}", command, recorded.id, meta)
            for index, command in enumerate(commands, start=1)
        ]

    def _is_held_back(self, event: ReceivedEvent) -> bool:
        if not self.poisoned and not self.writer.parked.count():
            return False
        return event.ref in self.poisoned or self.writer.parked.holds(event_key(event.recorded))

    def _take(self, event: ReceivedEvent) -> None:
        if self._is_held_back(event):
            error = self.poisoned.get(event.ref, WAITS)
            self.writer.parked.park_event(event.ref, event.recorded, error, self.now)
            return
        self._apply(event)

    def _apply(self, event: ReceivedEvent) -> None:
        recorded = event.recorded
        with FailureAttribution(event.ref):
            if recorded.name in self.writer.foreign_event_names:
                self.writer.projection.apply(recorded.event, recorded)
            tasks = self._after(recorded) if event.tasks is None else event.tasks
        for task in tasks:
            self._internal(task)

    # Commands

    def _command(self, message: CommandMessage) -> None:
        self.result.replies.append((message, self._remembered(message) or self._new(message)))

    def _remembered(self, message: CommandMessage) -> Reply | None:
        row = self.writer.known_commands.get(message.id)
        if row is None:
            return None
        reply = Reply(**orjson.loads(row["reply"]))
        if row["fingerprint"] == message.command.fingerprint():
            return replace(reply, repeated=True)
        detail = "this id was used before for another command"
        return replace(self._no("conflict", "idempotency-conflict", detail, 409), position=reply.position)

    def _new(self, message: CommandMessage) -> Reply:
        task = self._task_of(message)
        if task is None:
            detail = f"{self.writer.service.name} does not decide {type(message.command).__name__}"
            return self._no("refused", "unknown-command", detail, 404)
        if task.ref in self.poisoned:
            self._park_task(task, self.poisoned[task.ref])
            reply = self._no("failed", "internal-error", "this could not be handled; staff have been told", 500)
        elif self.writer.parked.holds(task.stream):
            return self._no("failed", "held-back", "an earlier message of this key waits for staff", 503)
        else:
            reply = self._decided(task)
        self._remember(message.id, message.command, reply)
        return reply

    def _remember(self, id_: str, command: Command, reply: Reply) -> None:
        self._keep(id_, command.fingerprint(), reply)

    def _keep(self, id_: str, fingerprint: str, reply: Reply) -> None:
        row = {"id": id_, "fingerprint": fingerprint, "reply": orjson.dumps(reply).decode(), "at": to_text(self.now)}
        self.writer.known_commands.put(row)

    def _decided(self, task: PendingCommand) -> Reply:
        with FailureAttribution(task.ref):
            try:
                answer = self._decide(task)
            except Refused as no:
                self.writer.spans.refused(task, no.code)
                return self._no("refused", no.code, no.detail, no.status, no.facts)
        return Reply("accepted", self.writer.service.name, self._position(), answer)

    def _no(self, outcome: Any, code: str, detail: str, status: int, facts: Any = None) -> Reply:
        position = self._position()
        name = self.writer.service.name
        return Reply(outcome, name, position, code=code, detail=detail, status=status, facts=facts or {})

    def _position(self) -> int:
        return self.events[-1].position if self.events else self.writer.head.position

    def _internal(self, task: PendingCommand) -> None:
        """Decide a command of a reaction, the scheduler or an effect. Raises HandlingFailed when it is refused: the
        domain must not refuse such commands."""
        if task.ref in self.poisoned:
            self._park_task(task, self.poisoned[task.ref])
        elif self.writer.parked.holds(task.stream) and not task.ref.startswith("parked/"):
            self._park_task(task, WAITS)
        else:
            with FailureAttribution(task.ref):
                before = len(self.events)
                self._decide(task)
                if len(self.events) == before and (token := caused_by(task.command_id)):
                    self._note_end(token)

    def _note_end(self, token: str) -> None:
        """Store that a scheduled item has ended without an event."""
        self._keep(ended(token), "", Reply("accepted", self.writer.service.name, self._position()))

    def _decide(self, task: PendingCommand) -> dict[str, Any]:
        writer = self.writer
        aggregate = writer.aggregate_for(type(task.command))
        state = writer.cache.get(task.stream).state
        load = aggregate.load_facts.get(type(task.command))
        facts = load(task.command, state, writer.projection, writer.adapters) if load else None
        given = DecisionContext(self.now, task.command_id, task.meta, facts, writer.shop)
        decided = aggregate.decide(task.command, state, given)
        if not isinstance(decided, Decided):
            decided = Decided(decided)
        meta = writer.spans.decided(task, len(decided.events))
        if decided.events:
            meta = meta.leading_on(task.command_id)
            meta_json = meta.model_dump_json()
            for event in decided.events:
                if event.essential:
                    essential = meta.of_essential()
                    self._append(task.stream, event, essential, essential.model_dump_json())
                else:
                    self._append(task.stream, event, meta, meta_json)
        return dict(decided.answer)

    def _append(self, stream: str, event: Event, meta: Metadata, meta_json: str) -> None:
        writer = self.writer
        version = writer.cache.evolve(stream, event)
        recorded = RecordedEvent(
            writer.service.name, self._position() + 1, stream, version, writer.ids.new_id(), event.type(),
            event.model_dump_json(), meta_json, self.at, event, meta,
        )  # fmt: skip
        self.events.append(recorded)
        if writer.projects(recorded):
            writer.projection.apply(event, recorded)
        self._plan(event, recorded)
        for task in self._after(recorded):
            self._own_reaction(task)

    def _plan(self, event: Event, recorded: RecordedEvent) -> None:
        writer = self.writer
        planner = writer.service.plans.get(type(event))
        if planner is None:
            return
        for index, plan in enumerate(planner(event, self.now)):
            if isinstance(plan, ScheduleCommand):
                writer.stream_of(plan.command)  # raises if this service does not decide it
            writer.scheduler.plan(plan, token_of(recorded.id, index), writer.meta_after(recorded), self.now)

    def _own_reaction(self, task: PendingCommand) -> None:
        """Decide a reaction to an own event. It is part of the decision that made the event: if it fails, both fail."""
        if self.writer.parked.holds(task.stream):
            self._park_task(task, WAITS)
            return
        try:
            self._decide(task)
        except Refused as no:
            raise RuntimeError(f"a reaction was refused: {no}") from no

    # The scheduler

    def _due(self, limit: int) -> None:
        taken = self.writer.scheduler.take_commands(self.now, limit, self._note_end)
        refs = [f"agenda/{due.token}" for due in taken]
        tasks = [self._task(ref, due.command, ref, due.meta) for ref, due in zip(refs, taken, strict=True)]
        self.writer.cache.load(task.stream for task in tasks)
        for task in tasks:
            if ALL_DUE in self.poisoned:
                self.poisoned[task.ref] = self.poisoned[ALL_DUE]
            self._internal(task)

    def _call_done(self, done: CallDone) -> None:
        self.writer.scheduler.finish(done.call)
        ref = ref_of(done)
        self._internal(self._task(ref, done.result, ref, done.call.meta))

    def _call_failed(self, failed: CallFailed) -> None:
        call, scheduler, ref = failed.call, self.writer.scheduler, ref_of(failed)
        row = scheduler.leased(call)
        if row is None:
            return
        if ref in self.poisoned:
            scheduler.give_up(row, self.poisoned[ref])
            self._note_end(call.token)
            return
        with FailureAttribution(ref):
            effect = self.writer.service.effects[call.effect]
            if call.attempt < effect.attempts:
                wait = back_off(call.attempt, effect.first_delay_seconds, effect.longest_delay_seconds)
                scheduler.postpone(row, self.now + wait, failed.error)
                return
            closing = effect.gave_up(call.payload, failed.error)
        scheduler.give_up(row, failed.error)
        last = f"{ref}/last"
        self._internal(self._task(last, closing, last, call.meta))

    # Parked messages

    def _park_task(self, task: PendingCommand, error: str) -> None:
        self.writer.parked.park_command(
            task.ref.removeprefix("parked/"),
            task.stream,
            task.command,
            task.meta.leading_on(task.command_id),
            error,
            self.now,
        )

    def _replay(self, replay: ReplayParked) -> None:
        """Handle a parked message again, if it is the oldest of its key."""
        row = self.writer.parked.oldest(replay.parked_id)
        if row is None:
            return
        ref = f"parked/{replay.parked_id}"
        if ref in self.poisoned:
            self.writer.parked.failed_again(row, self.poisoned[ref])
            return
        self.writer.parked.leave(row)
        with FailureAttribution(ref):
            if row["kind"] == "command":
                command, meta = decode_command(row["type"], row["data"]), Metadata.model_validate_json(row["meta"])
                self._again(row["id"], self._task(ref, command, meta.causation_id, meta))
            else:
                self._apply(ReceivedEvent(ref, parked_event(row)))

    def _again(self, id_: str, task: PendingCommand) -> None:
        if id_.startswith("command/"):
            self._remember(task.command_id, task.command, self._decided(task))
        else:
            self._internal(task)

    def _discard(self, parked_id: str) -> None:
        row = self.writer.parked.oldest(parked_id)
        if row is None:
            return
        self.writer.parked.leave(row)
        if row["kind"] == "command" and (token := caused_by(row["id"])):
            self._note_end(token)
