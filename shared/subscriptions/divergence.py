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
READ_EARLY = (b'["known"', b'["head"')
logger = structlog.get_logger()


class DivergenceCheck:
    """Compares one writer's log, and its sources, with what the readers have applied.

    First it asks the `readers` of this service's log how far they have applied it. The writer decides nothing until all
    have answered or HOLD_SECONDS are over: its database may have been restored from a backup, and lack events that they
    have read. Later, a reader that finds a difference reports it.
    """

    def __init__(self, writer: WriterState, tracker: SubscriptionTracker, readers: Iterable[str]) -> None:
        self._writer, self._tracker = writer, tracker
        self._name = writer.service.name
        self.missing = set(readers)
        self._read_early = 0
        self._marks: dict[str, int] = {}

    def question(self) -> LogHead:
        """The question to all readers of the log."""
        self._read_early = 0
        return LogHead(self._name, self._writer.head.position, self._writer.head.hash, asks=True)

    def read_early(self, arrived: Sequence[Message]) -> list[AddressedMessage]:
        """Read the answers, and the questions of other writers, in messages that have arrived and are not batched yet.
        Returns the messages to send."""
        messages: list[AddressedMessage] = []
        for message in islice(arrived, self._read_early, None):
            self._read_early += 1
            raw = message.body.encode() if isinstance(message.body, str) else message.body
            if isinstance(raw, bytes) and not raw.startswith(READ_EARLY):
                continue
            try:
                body = read(message)
            except Malformed:
                continue  # logged and counted when it is batched
            if isinstance(body, KnownPosition):
                messages += self._answered(body)
            elif isinstance(body, LogHead) and body.asks:
                messages += self._announced(body)
        return messages

    def handle_reports(self, batch: InputBatch[Any]) -> list[AddressedMessage]:
        """Read the heads and reports in a batch, before the batch is decided. Returns the messages to send."""
        messages: list[AddressedMessage] = []
        for report in batch.reports:
            if isinstance(report, KnownPosition):
                messages += self._answered(report)
            elif report.reader == self._name:
                self._writer.diverge(report)
        for head in batch.heads:
            messages += self._announced(head)
        for source in list(self._tracker.beyond):
            if source not in self._writer.diverged:
                del self._tracker.beyond[source]
        for source, found in self._writer.diverged.items():
            if found.is_beyond:
                self._tracker.beyond[source] = found.head
        self._tracker.held = self._writer.unknown.held.keys()
        try:
            self._writer.store_source_statuses()
        except DBAPIError as error:
            if not is_outage(error):
                raise
            logger.warning("what is wrong with logs can't be stored now", service=self._name)
        return messages

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
        """Ask the source about a head that is below the applied position, or has another hash there. The first such
        head may just be older than the batches that came before it."""
        source, positions = head.source, self._writer.positions
        if source not in positions:
            return
        agrees = self._writer.hash_agrees(source, head.position, head.hash) and head.position >= self._marks.get(
            source, 0
        )
        self._marks[source] = positions[source]
        if head.asks or not agrees or source in self._writer.diverged:
            yield (
                inbox(source, ()).name,
                KnownPosition(self._name, source, positions[source], self._writer.hashes.get(source, b"")),
            )
        if not agrees or source in self._writer.diverged:
            self._tracker.pull_once(source)


def differences(writer: WriterState) -> Sequence[Divergence]:
    """The divergences that a writer knows of: of its sources, and of its own log."""
    return (*writer.diverged.values(), *writer.contested.values())
