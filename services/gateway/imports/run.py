"""Imports a sheet: rows in, commands out, a fate for every row.

It knows neither HTTP nor the broker: `send` takes a command's id and the command, and returns its reply. It may raise
OSError (TimeoutError is one) when no answer comes; those rows are `unanswered`, and importing the file again is safe.
Anything else it raises stops the import, in an ExceptionGroup.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar
from uuid import NAMESPACE_OID, uuid5

from services.gateway.imports.cells import RowError
from services.gateway.imports.columns import KEY_FIELDS, PRODUCT_FIELDS, match
from services.gateway.imports.keys import KeySealing, Lots, ParsedKey, load_keys, parse_key
from services.gateway.imports.model import BadFile, SheetRow
from services.gateway.imports.products import parse_product
from services.gateway.imports.repeats import MOST_WAITING, Repeats
from services.gateway.imports.report import Change, Report, RowFate, recording
from services.gateway.imports.sheets import Sheet
from shared.contracts import Command
from shared.contracts.inventory import ListProduct
from shared.messages.messages import Reply

PRODUCTS_IN_FLIGHT = 200
CHUNKS_IN_FLIGHT = 8
READ_ROWS = 500

Send: TypeAlias = Callable[[str, Command], Awaitable[Reply]]
Progress: TypeAlias = Callable[[Report], None]
T = TypeVar("T")
P = ParamSpec("P")


def _silent(_: Report) -> None:
    pass


async def import_products(
    rows: Sheet,
    send: Send,
    *,
    import_id: str,
    fates: Path,
    dry_run: bool = False,
    mapping: Mapping[str, str] | None = None,
    suppliers: Collection[str] = (),
    progress: Progress = _silent,
) -> Report:
    """List every product of a sheet. Raises BadFile, before anything is sent, when the columns don't fit.

    `suppliers` are those that products may name; with none, any supplier is allowed. The ids of commands are made of
    `import_id` and row, so an import that runs again after a crash repeats none of them.
    """
    columns = match(rows.headers, PRODUCT_FIELDS, mapping, rows.hidden_headers)
    report = Report(ignored=columns.ignored)
    repeats = Repeats[tuple[int, ListProduct]]("sku", "SKU")

    def parsed(row: SheetRow) -> tuple[int, ListProduct] | RowFate:
        if row.is_hidden:
            return _hidden(row)
        try:
            product = parse_product(row, columns, suppliers)
        except RowError as error:
            return RowFate(row.number, "bad", field=error.field, detail=error.message)
        return row.number, product.command(dry_run=dry_run)

    async def list_product(number: int, command: ListProduct) -> None:
        following: tuple[int, ListProduct] | None = (number, command)
        while following is not None:
            fate = await _list_product(send, import_id, *following)
            decided, following = repeats.settle(command.sku, fate)
            for settled in (fate, *decided):
                record.record(settled)

    with recording(fates, report) as record:
        async with _window(PRODUCTS_IN_FLIGHT) as window:
            async for batch in _batches(map(parsed, rows), report):
                for item in batch:
                    judged = item if isinstance(item, RowFate) else repeats.judge(item[0], item[1].sku, item)
                    if isinstance(judged, RowFate):
                        record.record(judged)
                    elif judged is not None:
                        await window.start(list_product, *judged)
                    if repeats.waiting >= MOST_WAITING:
                        await window.idle()
                progress(report)
    report.notes, report.last_row = rows.notes, rows.last_row
    progress(report)
    return report


def _hidden(row: SheetRow) -> RowFate:
    return RowFate(row.number, "hidden", detail="the row is hidden in the spreadsheet: show it, or delete it")


async def _list_product(send: Send, import_id: str, number: int, command: ListProduct) -> RowFate:
    command_id = str(uuid5(NAMESPACE_OID, f"{import_id}/{number}/{'try' if command.dry_run else 'do'}"))
    reply = await _reply(send, command_id, command)
    if isinstance(reply, Reply) and reply.outcome == "accepted":
        changes = tuple(Change(number, command.sku, *change) for change in _changes(reply.answer))
        return RowFate(number, reply.answer["fate"], changes=changes)
    return _refusal(number, reply)


def _changes(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Field, old and new value of each change. A service of an earlier version answers none."""
    for field, (old, new) in answer.get("changes", {}).items():
        yield field, old, new


async def import_keys(
    rows: Sheet,
    send: Send,
    sealing: KeySealing,
    *,
    import_id: str,
    new_id: Callable[[], str],
    fates: Path,
    dry_run: bool = False,
    mapping: Mapping[str, str] | None = None,
    progress: Progress = _silent,
) -> Report:
    """Seal and load every key of a sheet. Raises BadFile, before anything is sent, when the columns don't fit.

    Sealing is random, so a chunk is never the same twice and each command has a fresh id from `new_id`; the blind
    index is what keeps a key from being loaded twice. Rows that name no batch belong to the batch `import_id`.
    """
    columns = match(rows.headers, KEY_FIELDS, mapping, rows.hidden_headers)
    report = Report(ignored=columns.ignored)
    repeats = Repeats[ParsedKey]("key", "key")
    lots = Lots()

    def parsed(row: SheetRow) -> ParsedKey | RowFate:
        if row.is_hidden:
            return _hidden(row)
        try:
            return parse_key(row, columns, sealing.index)
        except RowError as error:
            return RowFate(row.number, "bad", field=error.field, detail=error.message)

    async def load(chunk: list[ParsedKey]) -> None:
        due = [chunk]
        while due:
            again = Lots()
            for key, fate in await chunk_fates(due.pop()):
                decided, following = repeats.settle(key.index, fate)
                for settled in (fate, *decided):
                    record.record(settled)
                if following is not None:
                    due.extend(again.add(following))
            due.extend(again.rest())

    async def chunk_fates(chunk: list[ParsedKey]) -> Iterator[tuple[ParsedKey, RowFate]]:
        command = await asyncio.to_thread(load_keys, chunk, sealing, import_id, dry_run)
        reply = await _reply(send, new_id(), command)
        return zip(chunk, _chunk_fates(command.sku, [key.row for key in chunk], reply), strict=True)

    async def start(chunks: Iterator[list[ParsedKey]]) -> None:
        for chunk in chunks:
            await window.start(load, chunk)

    with recording(fates, report) as record:
        async with _window(CHUNKS_IN_FLIGHT) as window:
            async for batch in _batches(map(parsed, rows), report):
                for item in batch:
                    judged = item if isinstance(item, RowFate) else repeats.judge(item.row, item.index, item)
                    if isinstance(judged, RowFate):
                        record.record(judged)
                    elif judged is not None:
                        await start(lots.add(judged))
                    if repeats.waiting >= MOST_WAITING:
                        await start(lots.rest())
                        await window.idle()
                progress(report)
            await start(lots.rest())
    report.notes, report.last_row = rows.notes, rows.last_row
    progress(report)
    return report


def _chunk_fates(sku: str, numbers: Sequence[int], reply: Reply | OSError) -> Iterator[RowFate]:
    if isinstance(reply, OSError) or reply.outcome != "accepted":
        for number in numbers:
            refusal = _refusal(number, reply)
            # If the sheet has SKU and key interchanged, the SKU is a key: leave it out.
            yield replace(refusal, detail=refusal.detail.replace(sku, "this SKU"))
        return
    known, supplied = frozenset(reply.answer["duplicates"]), frozenset(reply.answer.get("supplied", ()))
    for place, number in enumerate(numbers):
        if place in supplied:
            yield RowFate(number, "duplicate", field="key", detail="a supplier has delivered the key for an order")
        elif place in known:
            yield RowFate(number, "duplicate", field="key", detail="the key was loaded before")
        elif reply.answer.get("expired"):
            yield RowFate(number, "expired", field="expires", detail="the key's last good day is over")
        else:
            yield RowFate(number, "loaded")


async def _reply(send: Send, command_id: str, command: Command) -> Reply | OSError:
    try:
        return await send(command_id, command)
    except OSError as error:
        return error


def _refusal(number: int, reply: Reply | OSError) -> RowFate:
    if isinstance(reply, OSError):
        return RowFate(number, "unanswered", code="unanswered", detail="no answer came; import the file again")
    return RowFate(number, "refused", code=reply.code or reply.outcome, detail=reply.detail)


async def _batches(items: Iterator[T], report: Report) -> AsyncIterator[list[T]]:
    """The items in batches, made in a thread. When the file breaks off, the batches end and the report says so."""
    while report.broken is None:
        batch, report.broken = await asyncio.to_thread(_take, items)
        report.rows += len(batch)
        if batch:
            yield batch
        elif report.broken is None:
            return


def _take(items: Iterator[T]) -> tuple[list[T], BadFile | None]:
    batch: list[T] = []
    try:
        batch.extend(islice(items, READ_ROWS))
    except BadFile as error:
        return batch, error
    return batch, None


class _Window:
    """Runs coroutine functions side by side, never more than `size`."""

    def __init__(self, tasks: asyncio.TaskGroup, size: int) -> None:
        self._tasks, self._size = tasks, size
        self._free = asyncio.Semaphore(size)

    async def start(self, work: Callable[P, Coroutine[None, None, None]], *args: P.args, **named: P.kwargs) -> None:
        """Start a coroutine function with these arguments, as soon as there is room."""
        await self._free.acquire()
        self._tasks.create_task(work(*args, **named)).add_done_callback(lambda _: self._free.release())

    async def idle(self) -> None:
        """Wait until nothing runs. Nobody else may start anything meanwhile."""
        for _ in range(self._size):
            await self._free.acquire()
        for _ in range(self._size):
            self._free.release()


@asynccontextmanager
async def _window(size: int) -> AsyncIterator[_Window]:
    """Leaving the context waits for everything that was started."""
    async with asyncio.TaskGroup() as tasks:
        yield _Window(tasks, size)
