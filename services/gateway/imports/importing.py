"""Runs imports apart from the requests for them, so that a repeated request joins the running import."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa
import structlog
from anyio.to_thread import run_sync
from sqlalchemy.exc import DBAPIError

from services.gateway.access.auth import Principal
from services.gateway.http.context import ApiContext
from services.gateway.http.problems import Problem, no_room, of_reply
from services.gateway.imports.answers import ImportAnswer, answer_of_log, answer_of_run, outcome
from services.gateway.imports.keys import KeySealing
from services.gateway.imports.model import BadFile
from services.gateway.imports.projection import imports
from services.gateway.imports.report import Report
from services.gateway.imports.run import Progress, import_keys, import_products
from services.gateway.imports.runs import OVER, ImportRequest, Runs
from services.gateway.imports.sheets import read_rows
from services.gateway.imports.templates import TemplateKind
from shared.contracts import Command, Metadata
from shared.contracts.gateway import RecordImport
from shared.eventstore.disk_space import trouble
from shared.eventstore.engines import is_outage
from shared.messages.messages import HALTED, CommandMessage, Reply
from shared.readside.backend import Busy
from shared.security.sealing import keypair_from_secret

PROGRESS_SECONDS = 1.0
ASK_SECONDS = 0.5
BUSY_SECONDS, BUSY_TRIES = 0.2, 300
logger = structlog.get_logger()


class Overtaken(Exception):
    """Another process runs the import now, because this one reported no progress for a while."""


@dataclass(frozen=True)
class Job:
    """A file to import. `file` may hold keys in the clear: it has no name on the disk, and vanishes with the
    process."""

    kind: TemplateKind
    caller: Principal
    import_id: str
    file: BinaryIO = field(repr=False)
    file_name: str
    file_sha256: str
    dry_run: bool
    mapping: Mapping[str, str] | None
    encoding: str | None

    def request(self) -> ImportRequest:
        mapping = json.dumps(dict(self.mapping or {}), sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(mapping.encode()).hexdigest()  # a hash, because the mapping may hold a key by mistake
        return ImportRequest(self.import_id, self.kind, self.file_sha256, digest, self.dry_run, self.caller.actor)


def fates_path(context: ApiContext, import_id: str) -> Path:
    folder = context.backend.settings.var / "imports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{import_id}.csv"


class Importing:
    """The imports of this process; one object for each application. `stopped` has, by import, the last run whose end
    could not be stored, for example on a full disk: nothing else says that it is over."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[ImportRequest, asyncio.Task[None]]] = {}
        self.stopped: dict[str, str] = {}

    async def known(self, context: ApiContext, import_id: str) -> ImportAnswer | None:
        """The state of an import, running or over; None if it is unknown."""
        stopped = self.stopped.get(import_id)
        row = await run_sync(Runs(context.backend.reads).find, import_id, context.backend.clock.now(), stopped)
        if row is not None and row["state"] in OVER | {"running"}:
            return answer_of_run(row)
        done = await context.row(sa.select(imports).where(imports.c.import_id == import_id))
        return answer_of_log(done) if done else answer_of_run(row) if row else None

    async def answer(self, context: ApiContext, job: Job, seconds: float) -> ImportAnswer:
        """Run a job or join its running import for at most `seconds`, and return the state of the import.

        Raises Problem: 422 for a file that can't be read, 409 for another mapping than the import has, 503 when it was
        interrupted or nothing is decided. Raises OSError or DBAPIError on a full disk.
        """
        loop = asyncio.get_running_loop()
        deadline, requested, has_joined = loop.time() + seconds, job.request(), False
        is_taken = False
        try:
            while True:
                if job.import_id not in self._tasks:
                    done = await self.known(context, job.import_id)
                    if done is not None and done.state in OVER and done.started_at is None:
                        return done.model_copy(update={"replayed": True})  # only the log has it
                    run = context.backend.ids.new_id()
                    stopped, now = self.stopped.get(job.import_id), context.backend.clock.now()
                    row = await run_sync(Runs(context.backend.reads).claim, requested, run, now, stopped)
                    if row is None:
                        is_taken = has_joined = True
                        self._start(context, job, run)
                    elif row["mapping_sha256"] != requested.mapping_sha256:
                        raise _other_mapping()
                    elif row["state"] in OVER or loop.time() >= deadline:
                        return answer_of_run(row).model_copy(update={"replayed": not has_joined})
                    else:
                        has_joined = True  # another process runs it
                        await asyncio.sleep(ASK_SECONDS)
                        continue
                running, task = self._tasks[job.import_id]
                if running.mapping_sha256 != requested.mapping_sha256:
                    raise _other_mapping()
                await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
                if task.done():
                    _raise_what_stopped(task, context.backend.reads.url)
                answer = await self.known(context, job.import_id)
                assert answer is not None
                return answer
        finally:
            if not is_taken:
                job.file.close()

    async def close(self) -> None:
        """Stop the running imports. They are then interrupted, and the files can be sent again."""
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, context: ApiContext, job: Job, run: str) -> None:
        task = asyncio.create_task(_run(context, job, run, self.stopped))
        self._tasks[job.import_id] = (job.request(), task)
        self.stopped.pop(job.import_id, None)

        def ended(task: asyncio.Task[None]) -> None:
            del self._tasks[job.import_id]
            job.file.close()
            if not task.cancelled() and (error := task.exception()) and not isinstance(error, Problem):
                logger.error("import stopped", import_id=job.import_id, error=repr(error))

        task.add_done_callback(ended)


def _other_mapping() -> Problem:
    return Problem(409, "idempotency-conflict", "this Idempotency-Key was used for the same file with another mapping")


def _raise_what_stopped(task: asyncio.Task[None], database: sa.URL) -> None:
    error = None if task.cancelled() else task.exception()
    for cause in _causes(error):
        if isinstance(cause, Problem) or no_room(cause) or trouble(cause, database):
            raise cause
    if task.cancelled() or error is not None:
        detail = "the import stopped before its end; send the same file again to continue it"
        raise Problem(503, "import-interrupted", detail, headers={"Retry-After": "1"})


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _causes(one)
    elif error is not None:
        yield error


async def _run(context: ApiContext, job: Job, run: str, stopped: dict[str, str]) -> None:
    """Run a job to its end, and record its progress. Raises Problem for a file that can't be read. A run that stops is
    in `stopped` until that is stored."""
    runs, now = Runs(context.backend.reads), context.backend.clock.now
    reports = [Report()]
    try:
        async with asyncio.TaskGroup() as group:
            progress_task = group.create_task(_record_progress(context, job, run, reports))
            result = await _import(context, job, lambda report: reports.__setitem__(0, report))
            progress_task.cancel()
        if isinstance(result, BadFile):
            broken = {"broken": {"code": result.code, "detail": result.detail}}
            await run_sync(runs.end, job.import_id, run, "failed", broken, now())
            raise Problem(422, result.code, result.detail)
        if result.is_void and result.broken is not None:
            await run_sync(runs.end, job.import_id, run, "failed", outcome(result), now())
            raise Problem(422, result.broken.code, result.broken.detail)
        if not job.dry_run:
            command = RecordImport(
                import_id=job.import_id,
                kind=job.kind,
                file_sha256=job.file_sha256,
                fates={fate: count for fate, count in result.counts.items() if count},
                rows=result.rows,
                rejected=result.rejected,
                broken=result.broken.code if result.broken else None,
                last_row=result.last_row if result.broken else None,
            )
            await context.send(command, job.caller, job.import_id)
        await run_sync(
            runs.end, job.import_id, run, "partial" if result.broken else "completed", outcome(result), now()
        )
    except BaseException:
        stopped[job.import_id] = run
        # This changes nothing if the run has already ended, failed or was overtaken.
        try:
            await run_sync(runs.end, job.import_id, run, "interrupted", None, now())
        except DBAPIError as error:
            if not is_outage(error):
                raise
            logger.warning("can't store that an import stopped", import_id=job.import_id, error=type(error).__name__)
        else:
            del stopped[job.import_id]
        raise


async def _record_progress(context: ApiContext, job: Job, run: str, reports: list[Report]) -> None:
    runs = Runs(context.backend.reads)
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        report = reports[0]
        counts = {fate: count for fate, count in report.counts.items() if count}
        try:
            if not await run_sync(
                runs.record_progress, job.import_id, run, report.rows, counts, context.backend.clock.now()
            ):
                raise Overtaken
        except DBAPIError as error:
            if not is_outage(error):
                raise
            logger.warning("can't store the progress of an import", import_id=job.import_id, error=type(error).__name__)


async def _import(context: ApiContext, job: Job, progress: Progress) -> Report | BadFile:
    send, fates = _Sender(context, job.caller, job.import_id), fates_path(context, job.import_id)
    try:
        sheet = await run_sync(read_rows, job.file, job.file_name, job.encoding, job.mapping)
        if job.kind == "products":
            report = await import_products(
                sheet,
                send,
                import_id=job.import_id,
                fates=fates,
                dry_run=job.dry_run,
                mapping=job.mapping,
                suppliers=context.backend.settings.suppliers,
                progress=progress,
            )
        else:
            report = await import_keys(
                sheet,
                send,
                _sealing(context),
                import_id=job.import_id,
                new_id=context.backend.ids.new_id,
                fates=fates,
                dry_run=job.dry_run,
                mapping=job.mapping,
                progress=progress,
            )
    except BadFile as error:
        return error
    await send.wait_until_shown()
    return report


class _Sender:
    """Sends an import's commands, and remembers the position that inventory's log reached."""

    def __init__(self, context: ApiContext, caller: Principal, import_id: str) -> None:
        self._context, self._caller, self._import_id = context, caller, import_id
        self._reached = 0

    async def __call__(self, command_id: str, command: Command) -> Reply:
        meta = Metadata(correlation_id=self._import_id, causation_id=command_id, actor=self._caller.actor)
        for _ in range(BUSY_TRIES):
            try:
                reply = await self._context.backend.send(command.owner, CommandMessage(command_id, command, meta))
            except Busy:
                await asyncio.sleep(BUSY_SECONDS)
            else:
                if reply.code == HALTED:
                    raise of_reply(reply)  # the same for every row that is left
                self._reached = max(self._reached, reply.position)
                return reply
        raise TimeoutError

    async def wait_until_shown(self) -> None:
        """Wait until the read models show the import."""
        await self._context.backend.wait_for_position("inventory", self._reached)


def _sealing(context: ApiContext) -> KeySealing:
    secrets = context.backend.secrets
    public = keypair_from_secret(secrets.get("fulfillment-sealing")).public
    return KeySealing(public, secrets.get("blind-index"), context.backend.ids.random_bytes)
