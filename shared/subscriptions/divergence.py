"""Detects that a source's log, or this service's own, is not the log that its readers have applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from shared.eventstore.divergence import Divergence, ReaderPosition
from shared.eventstore.engines import is_outage
from shared.messages.topology import inbox
from shared.messages.transport import Message
from shared.messages.wire import (
    KnownPosition,
    LogHead,
    Malformed,
)
from shared.subscriptions.batch import InputBatch, read
from shared.subscriptions.log_answers import AddressedMessage
from shared.subscriptions.tracker import SubscriptionTracker
from shared.writer.state import WriterState

HOLD_SECONDS = 3.0
OVERHEARD = (b'["known"', b'["head"')
logger = structlog.get_logger()


class DivergenceCheck:
    """Compares logs for one writer, as long as it leads.

    It begins by asking `readers`, who read this service's log, how far they have applied it. The writer decides nothing
    until all have answered or HOLD_SECONDS are over: its database may have been restored from a backup that is older
    than what they have read. Later a reader that finds a difference reports it.
    """

    def __init__(self, writer: WriterState, tracker: SubscriptionTracker, readers: Iterable[str]) -> None:
        self._writer, self._tracker = writer, tracker
        self._name = writer.service.name
        self.missing = set(readers)
        self._overheard = 0
        self._marks: dict[str, int] = {}

    def question(self) -> LogHead:
        """To all who read the log."""
        self._overheard = 0
        return LogHead(self._name, self._writer.head.position, self._writer.head.hash, asks=True)

    def overhear(self, arrived: Sequence[Message]) -> list[AddressedMessage]:
        """Hear the answers, and answer such questions of others, among what has arrived and is not taken in yet."""
        told: list[AddressedMessage] = []
        for message in islice(arrived, self._overheard, None):
            self._overheard += 1
            raw = message.body.encode() if isinstance(message.body, str) else message.body
            if isinstance(raw, bytes) and not raw.startswith(OVERHEARD):
                continue
            try:
                body = read(message)
            except Malformed:
                continue  # counted and told when it is taken in
            if isinstance(body, KnownPosition):
                told += self._answered(body)
            elif isinstance(body, LogHead) and body.asks:
                told += self._announced(body)
        return told

    def hear(self, batch: InputBatch[Any]) -> list[AddressedMessage]:
        """Take in what a batch holds of it, before anything of the batch is decided."""
        told: list[AddressedMessage] = []
        for said in batch.said:
            if isinstance(said, KnownPosition):
                told += self._answered(said)
            elif said.reader == self._name:
                self._writer.diverge(said)
        for head in batch.heads:
            told += self._announced(head)
        for source in list(self._tracker.beyond):
            if source not in self._writer.diverged:
                del self._tracker.beyond[source]
        for source, found in self._writer.diverged.items():
            if found.is_beyond:
                self._tracker.beyond[source] = found.head
        self._tracker.held = self._writer.unknown.held.keys()
        try:
            self._writer.tell_sources()
        except DBAPIError as error:
            if not is_outage(error):
                raise
            logger.warning("what is wrong with logs can't be stored now", service=self._name)
        return told

    def _answered(self, known: KnownPosition) -> Iterator[AddressedMessage]:
        if known.source != self._name:
            return
        self.missing.discard(known.reader)
        try:
            found = self._writer.compare(known.reader, ReaderPosition(known.position, known.hash))
        except DBAPIError as error:
            if not is_outage(error):
                raise
            logger.warning("what a reader knows can't be looked up now", service=self._name, reader=known.reader)
            return
        if found is not None:
            yield inbox(known.reader, ()).name, found

    def _announced(self, head: LogHead) -> Iterator[AddressedMessage]:
        """A head that stays behind what is applied, or has another hash there, is one to ask about; one alone may be
        older than the slices that came before it."""
        source, positions = head.source, self._writer.positions
        if source not in positions:
            return
        agrees = self._writer.learn(source, head.position, head.hash) and head.position >= self._marks.get(source, 0)
        self._marks[source] = positions[source]
        if head.asks or not agrees or source in self._writer.diverged:
            yield (
                inbox(source, ()).name,
                KnownPosition(self._name, source, positions[source], self._writer.hashes.get(source, b"")),
            )
        if not agrees or source in self._writer.diverged:
            self._tracker.ask(source)


def differences(writer: WriterState) -> Sequence[Divergence]:
    """All that a writer knows of logs that differ from what was read of them: those it reads, and its own."""
    return (*writer.diverged.values(), *writer.contested.values())
