"""`kameng parked`: lets a person show, replay or discard messages that could not be handled."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.markup import escape
from rich.table import Table

from cli.common import (
    Json,
    console,
    fail,
    services_of,
)
from cli.inspecting import SEALED
from cli.operating import lock_holders
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    looking,
    place_of,
)
from services import read_settings
from shared.eventstore import log, schema
from shared.eventstore.engines import open_engine
from shared.messages.messages import CommandMessage, Reply
from shared.projections.projection import Row
from shared.runtime.clock import Clock
from shared.runtime.embedded import InUse, lock_folder
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext, Service
from shared.security.secrets import Secrets
from shared.writer.inputs import (
    CommitResult,
    DiscardParked,
    Input,
    ReplayParked,
)
from shared.writer.writer import Writer

TRIES = 20
app = typer.Typer(help="Messages that could not be handled. 搁置的消息。", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="SERVICE", help="Whose messages. 服务名。")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it. 编号。")]


class Substitute:
    """A writer in place of the service's own writer, for one message at a time.

    Its start raises the epoch, which fences the service's own writer: that one can commit no more, and starts over. If
    it starts over before this writer has committed, this writer is fenced and starts anew. The commit that handles a
    message also removes it from the parked ones, so a repetition never handles it twice. Calls to the outside are left
    to the service's own writer."""

    def __init__(self, service: Service, engine: sa.Engine, context: HostContext) -> None:
        self._service, self._engine, self._context = service, engine, context
        self._writer: Writer | None = None

    def replay(self, parked_id: str) -> bool:
        """Replay a message, which must be the first of its key. Returns whether it was handled."""
        return self._do(ReplayParked(parked_id))

    def discard(self, parked_id: str) -> bool:
        """Discard a message, which must be the first of its key. Returns whether it is gone."""
        return self._do(DiscardParked(parked_id))

    def send(self, message: CommandMessage) -> Reply:
        """Decide a command. Raises log.Fenced."""
        ((_, reply),) = self._processed(message).replies
        return reply

    def _do(self, work: ReplayParked | DiscardParked) -> bool:
        self._processed(work)
        with self._engine.connect() as connection:
            return _row(connection, work.parked_id) is None

    def _processed(self, work: Input) -> CommitResult:
        for _ in range(1, TRIES):
            try:
                return self._started().process([work])
            except log.Fenced:
                self._writer = None
        return self._started().process([work])

    def _started(self) -> Writer:
        if self._writer is None:
            writer = Writer(self._service, self._engine, self._context)
            writer.start()
            self._writer = writer
        return self._writer


@contextmanager
def substitute(service: Service, place: Place) -> Iterator[Substitute]:
    """Stand in for a service's writer. Raises InUse when a host works on the folder.

    In the cluster the service's own writer is made to start over at the end. Without anything to commit it would not
    notice new items of its scheduler.
    """
    settings = read_settings(var=place.var)
    context = HostContext(settings, Clock(), Ids(), Secrets(place.var / "secrets"))
    engine = open_engine(place.urls[service.name], writer=True)
    try:
        if not place.is_cluster:
            with lock_folder(place.var):
                yield Substitute(service, engine, context)
            return
        try:
            yield Substitute(service, engine, context)
        finally:
            start_over(engine, service.name)
    finally:
        engine.dispose()


def start_over(engine: sa.Engine, service: str) -> None:
    """Take the leadership from the service's writer, so that it starts over from the database."""
    with engine.connect() as connection:
        for pid in connection.execute(lock_holders(service)).scalars().all():
            connection.execute(sa.select(sa.func.pg_terminate_backend(pid)))


def parked_rows(connection: sa.Connection) -> list[Row]:
    """The parked messages by key. Keys are in the order of their first message, messages of a key in their order."""
    rows = [
        dict(row) for row in connection.execute(sa.select(schema.parked).order_by(schema.parked.c.number)).mappings()
    ]
    firsts: dict[str, int] = {}
    for row in rows:
        firsts.setdefault(row["key"], row["number"])
    return sorted(rows, key=lambda row: (firsts[row["key"]], row["number"]))


def replay_all(stand_in: Substitute, rows: Sequence[Row]) -> tuple[int, list[str]]:
    """Replay key by key, in order. After a message fails again, the rest of its key is skipped. Returns the number of
    handled messages, and the ids of those that failed."""
    handled, failed, stuck = 0, [], set[str]()
    for row in rows:
        if row["key"] in stuck:
            continue
        if stand_in.replay(row["id"]):
            handled += 1
        else:
            failed.append(row["id"])
            stuck.add(row["key"])
    return handled, failed


def _row(connection: sa.Connection, parked_id: str) -> Row | None:
    found = connection.execute(sa.select(schema.parked).where(schema.parked.c.id == parked_id)).mappings().first()
    return dict(found) if found else None


def _service(context: typer.Context, name: str) -> Service:
    services = {service.name: service for service in services_of(context)}
    return services.get(name) or fail(f"there is no service {name}: {', '.join(services)}.", code=2)


def _first_of_its_key(place: Place, service: str, parked_id: str) -> Row:
    with place.logs[service].connect() as connection:
        rows = parked_rows(connection)
    row = next((row for row in rows if row["id"] == parked_id), None)
    if row is None:
        fail(f"{service} has no parked message {parked_id}.")
    first = next(other for other in rows if other["key"] == row["key"])
    if first is not row:
        fail(f"{parked_id} waits behind {first['id']}: replay or discard that one first.")
    return row


@app.command("list")
def list_parked(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="All when none is named. 默认全部。")] = None,
    var: AnyVar = None,
    cluster: InCluster = False,
    as_json: Json = False,
) -> None:
    """List parked messages, in the order in which they would be replayed. 列出。

    Ends with 1 if a service can't be read; the others are shown.
    """
    wanted = [_service(context, service)] if service else services_of(context)
    table = Table("Service 服务", "ID 编号", "Key 键", "Type 类型", "At 时间", "Error 错误")
    listed, unread = [], dict[str, str]()
    with place_of(var, wanted, cluster=cluster, partly=True) as place:
        for one in wanted:
            with looking(one.name, unread), place.log(one.name).connect() as connection:
                rows = [{k: row[k] for k in ("id", "key", "type", "at", "error")} for row in parked_rows(connection)]
                listed += [{"service": one.name, **row} for row in rows]
    for row in listed:
        table.add_row(*row.values())
    for name, reason in unread.items():
        table.add_row(name, *["[red]unknown 未知[/red]"] * 4, escape(reason))
    console.print(table)
    if as_json:
        typer.echo(json.dumps({"parked": listed, "unread": unread}, ensure_ascii=False))
    if unread:
        fail("; ".join(f"{name}: {reason}" for name, reason in unread.items()))


@app.command("show")
def show(context: typer.Context, service: Name, parked_id: Id, var: AnyVar = None, cluster: InCluster = False) -> None:
    """Show one parked message as JSON, without sealed texts. 查看。"""
    own = _service(context, service)
    with place_of(var, [own], cluster=cluster) as place, place.logs[own.name].connect() as connection:
        row = _row(connection, parked_id)
    if row is None:
        fail(f"{service} has no parked message {parked_id}.")
    body = json.loads(row["data"])
    if row["kind"] == "event":
        body["data"] = _without_sealed(json.loads(body["data"]))
    shown = {**row, "data": _without_sealed(body), "meta": json.loads(row["meta"])}
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _without_sealed(data: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in SEALED}


@app.command("replay")
def replay(
    context: typer.Context,
    service: Name,
    parked_id: Annotated[str | None, typer.Argument(metavar="ID", help="As `list` shows it. 编号。")] = None,
    every: Annotated[bool, typer.Option("--all", help="All of the service, key by key. 全部。")] = False,
    var: AnyVar = None,
    cluster: InCluster = False,
) -> None:
    """Replay parked messages, once their cause is gone. Ends with 1 when one fails again. 重放。"""
    own = _service(context, service)
    if every == (parked_id is not None):
        fail("name one message, or --all.", code=2)
    with place_of(var, [own], cluster=cluster) as place:
        if parked_id is not None:
            rows = [_first_of_its_key(place, service, parked_id)]
        else:
            with place.logs[service].connect() as connection:
                rows = parked_rows(connection)
        with _standing_in(own, place) as stand_in:
            handled, failed = replay_all(stand_in, rows)
    console.print(f"{handled} handled 已处理, {len(rows) - handled} still parked 仍搁置")
    if failed:
        fail(f"failed again: {', '.join(failed)}; `kameng parked show` tells why.")


@app.command("discard")
def discard(
    context: typer.Context,
    service: Name,
    parked_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. 不再询问。")] = False,
    var: AnyVar = None,
    cluster: InCluster = False,
) -> None:
    """Discard a parked message for good. Those behind it can then be replayed. 丢弃。"""
    own = _service(context, service)
    with place_of(var, [own], cluster=cluster) as place:
        row = _first_of_its_key(place, service, parked_id)
        if not yes:
            typer.confirm(f"Drop {row['type']} {parked_id} of {row['key']} for good? 确定丢弃？", abort=True)
        with _standing_in(own, place) as stand_in:
            if not stand_in.discard(parked_id):
                fail(f"{parked_id} is still there.")
    console.print(f"{parked_id} is discarded 已丢弃")


@contextmanager
def _standing_in(service: Service, place: Place) -> Iterator[Substitute]:
    try:
        with substitute(service, place) as stand_in:
            yield stand_in
    except InUse as error:
        fail(f"{error}. Stop it first.")
    except log.Fenced:
        fail(f"the writer of {service.name} keeps starting anew: look at its log, and try again.")
