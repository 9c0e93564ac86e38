"""`kameng heal`: lets a log that was restored from an older backup go on, when the later database is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn
from uuid import uuid4

import sqlalchemy as sa
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.common import (
    Json,
    console,
    fail,
    services_of,
)
from cli.parked import start_over
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    place_of,
)
from cli.proofs import changed_logs, prove
from cli.proving import proof_table
from services.gateway.webhooks.tables import cursors
from shared.broker.publisher_marks import NoBroker, read_marks
from shared.eventstore import healing, log
from shared.eventstore.engines import open_engine
from shared.eventstore.healing import KnownUpTo, LostRange, PublishedMark
from shared.eventstore.leadership import Leadership
from shared.runtime.embedded import InUse, lock_folder
from shared.runtime.service import Service
from shared.telemetry.logs import configure_logs

TRIES, BETWEEN_SECONDS = 100, 0.05
TO_HEAL = 1
OPERATOR, WEBHOOKS = "an operator (--beyond)", "webhooks"


def heal_logs(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="Only its log; all when none is named. 仅此服务。")] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Do it: what was lost is lost for good. 接受丢失并执行。")
    ] = False,
    beyond: Annotated[
        int,
        typer.Option(
            metavar="POSITION",
            min=0,
            help="The last position known outside; with one service. 外部已知位置。",
        ),
    ] = 0,
    without_broker: Annotated[
        bool,
        typer.Option(
            "--without-broker", help="RabbitMQ is lost: do without what it keeps of publishers. 不询问消息代理。"
        ),
    ] = False,
    var: AnyVar = None,
    cluster: InCluster = False,
    as_json: Json = False,
) -> None:
    """Let a log that was restored from an older backup go on behind all that is known of it. 修复日志。

    Use it only when the later database is gone: if you have it, restore it instead, and nothing is lost. It shows what
    was lost. With --accept-loss it fills those positions, so that no position and no publisher's sequence is used
    twice, and lets readers go on. Without it nothing is changed, and the command ends with 1 if there is something to
    heal.

    Stop a folder's `serve` first. The cluster's writers may run: the writer of a healed log stands by meanwhile. Known
    positions come from all services' databases, the publishers' marks at RabbitMQ, and webhooks.
    """
    configure_logs(service="heal", level="WARNING")
    services = services_of(context)
    names = [one.name for one in services]
    if service is not None and service not in names:
        fail(f"there is no service {service}: {', '.join(names)}.", code=2)
    if beyond and service is None:
        fail("--beyond is a position in one log: name the service.", code=2)
    with place_of(var, services, cluster=cluster) as place, _alone(place):
        if changed := changed_logs(place.logs):
            fail(f"{'; '.join(changed.values())}. Nothing is healed: that is another kind of damage.")
        marks = _marks(place, names, without_broker=without_broker)
        wanted = names if service is None else [service]
        others = _others(place, service, beyond)
        ranges = [lost_range for name in wanted if (lost_range := _examined(name, place, marks, others))]
        for lost_range in ranges:
            for line in description_of(lost_range):
                console.print(line, markup=False, soft_wrap=True)
        _refuse_contrary(ranges)
        report: dict[str, Any] = {"healed": accept_loss, "wounds": [_as_json(lost_range) for lost_range in ranges]}
        if ranges and not accept_loss:
            _end(report, as_json, "Nothing was changed. If the later database is still there, put it back instead; "
                 "else --accept-loss fills what is lost.")  # fmt: skip
        for lost_range in ranges:
            _heal(lost_range, place)
        if not ranges:
            console.print("nothing to heal 无需修复")
        else:
            _show_proofs(services, place)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    with ExitStack() as stack:
        if not place.is_cluster:
            try:
                stack.enter_context(lock_folder(place.var))
            except InUse as error:
                fail(f"{error}. Stop it first.")
        yield


def _marks(place: Place, names: Sequence[str], *, without_broker: bool) -> dict[str, PublishedMark]:
    if not place.is_cluster or without_broker:
        return {}
    try:
        if not place.amqp_url:
            raise NoBroker("KAMENG_AMQP_URL is not set")
        return read_marks(place.amqp_url, names)
    except NoBroker as error:
        fail(
            f"RabbitMQ can't be asked for the last published positions: {error}. Start it; if it is lost, say "
            "--without-broker, and with --beyond the last position that subscribers know."
        )


def _others(place: Place, service: str | None, beyond: int) -> dict[str, list[KnownUpTo]]:
    """The positions of each log that the operator and webhook endpoints know."""
    found: dict[str, list[KnownUpTo]] = {name: [] for name in place.logs}
    if service is not None and beyond:
        found[service].append(KnownUpTo(OPERATOR, beyond))
    gateway = place.logs.get("gateway")
    if gateway is not None:
        with gateway.connect() as connection:
            if sa.inspect(connection).has_table(cursors.name):
                last = sa.select(cursors.c.source, sa.func.max(cursors.c.position)).group_by(cursors.c.source)
                for source, position in connection.execute(last):
                    if source in found:
                        found[source].append(KnownUpTo(WEBHOOKS, position))
    return found


def _examined(
    name: str, place: Place, marks: dict[str, PublishedMark], others: dict[str, list[KnownUpTo]]
) -> LostRange:
    return healing.examine(name, place.logs, marks.get(name), others[name])


def description_of(lost_range: LostRange) -> Iterator[str]:
    """What was lost of a log, as lines for people."""
    source = lost_range.source
    if lost_range.lost:
        known = ", ".join(f"{one.who} up to {one.position}" for one in lost_range.known)
        yield (
            f"{source}: its log ends at {lost_range.kept}, with an event of {lost_range.since:%Y-%m-%d %H:%M:%S} UTC; "
            f"known further by {known}: {lost_range.lost} positions, {lost_range.kept + 1} to {lost_range.upto}, "
            "are lost"
        )
    elif lost_range.mark:
        yield (
            f"{source}: another event was published at {lost_range.mark.position}, because the log went on after it "
            "was set back: up to that position publishers publish nothing of it any more"
        )
    if lost_range.readers and not lost_range.lost:
        yield f"{source}: its log is filled, but {', '.join(lost_range.readers)} do not go on behind that yet"
    for found in lost_range.contrary:
        yield f"{source}: {found}"


def _refuse_contrary(ranges: Sequence[LostRange]) -> None:
    if contrary := [lost_range.source for lost_range in ranges if lost_range.contrary]:
        fail(
            f"the log of {', '.join(contrary)} went on after it was set back, while readers were away: they would "
            "never read those events. Restore the same backup once more, and heal before its writer starts."
        )


def _as_json(lost_range: LostRange) -> dict[str, Any]:
    known = [asdict(one) for one in lost_range.known]
    return {
        "service": lost_range.source, "kept": lost_range.kept, "since": lost_range.since.isoformat(),
        "upto": lost_range.upto, "lost": lost_range.lost, "known": known, "readers": list(lost_range.readers),
    }  # fmt: skip


def _end(report: dict[str, Any], as_json: bool, message: str) -> NoReturn:
    console.print(message, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    raise typer.Exit(TO_HEAL)


def _heal(lost_range: LostRange, place: Place) -> None:
    """Fill one log, then let its readers go on, and last its own writer, which compares itself with them."""
    engine = open_engine(place.urls[lost_range.source], writer=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with _leading(lost_range.source, place), Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(f"filling {lost_range.source}", total=lost_range.lost)
            healing.heal(
                lost_range,
                engine,
                datetime.now(UTC),
                lambda: str(uuid4()),
                lambda done, _: bar.update(task, completed=done),
            )
            for reader in lost_range.readers:
                _settle(lost_range.source, reader, place)
    except log.Fenced:
        fail(
            f"a writer of {lost_range.source} interrupted this: stop it, and repeat the command. "
            "Filled positions stay filled."
        )
    finally:
        engine.dispose()
    agreed = f"; {', '.join(lost_range.readers)} go on" if lost_range.readers else ""
    console.print(f"{lost_range.source}: {lost_range.lost} positions are filled{agreed}", soft_wrap=True)


@contextmanager
def _leading(service: str, place: Place) -> Iterator[None]:
    """In the cluster, hold the service's leadership: its writers stand by meanwhile, and start over afterwards."""
    if not place.is_cluster:
        yield
        return
    lead = Leadership(place.urls[service], service, lambda: None)
    for _ in range(TRIES):
        if lead.acquire():
            break
        start_over(place.logs[service], service)
        time.sleep(BETWEEN_SECONDS)
    else:
        fail(f"the writer of {service} keeps the leadership: stop it, and repeat the command.")
    try:
        yield
    finally:
        lead.release()


def _settle(source: str, reader: str, place: Place) -> None:
    engine = open_engine(place.urls[reader], writer=True)
    try:
        healing.settle(source, place.logs[source], engine)
        if place.is_cluster:
            start_over(place.logs[reader], reader)
    finally:
        engine.dispose()


def _show_proofs(services: Sequence[Service], place: Place) -> None:
    """Show the proofs. Tables of readers that folded lost events differ from a rebuild."""
    console.print(proof_table(prove(services, place.logs, drained=False)))
    console.print(
        "Tables that differ were derived from lost events: note what they name, then run `kameng rebuild all`. "
        "`kameng lost` lists lost orders, and frees what is held for them.",
        soft_wrap=True,
    )
