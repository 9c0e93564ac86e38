"""`kameng heal`: a log that was restored from an older backup goes on, when the later database is gone."""

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

    For when the later database is gone: with it, put it back instead, and nothing is lost. Tells what was lost, and
    with --accept-loss fills those positions, so that neither a position nor a publisher's sequence is given twice, and
    has readers go on. Without it nothing is changed, and the command ends with 1 where there is something to heal.

    A folder's `serve` must be stopped first. The cluster's writers need not be: the one of a log that is healed stands
    by meanwhile. What is known is asked of all services' databases, the publishers' marks at RabbitMQ, and webhooks.
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
        wounds = [wound for name in wanted if (wound := _examined(name, place, marks, others))]
        for wound in wounds:
            for line in described(wound):
                console.print(line, markup=False, soft_wrap=True)
        _refuse_contrary(wounds)
        report: dict[str, Any] = {"healed": accept_loss, "wounds": [_as_json(wound) for wound in wounds]}
        if wounds and not accept_loss:
            _end(report, as_json, "Nothing was changed. If the later database is still there, put it back instead; "
                 "else --accept-loss fills what is lost.")  # fmt: skip
        for wound in wounds:
            _heal(wound, place)
        if not wounds:
            console.print("nothing is to be healed 无需修复")
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
            f"RabbitMQ can't be asked how far the outside was told: {error}. Start it; if it is lost, say "
            "--without-broker, and with --beyond what subscribers know last."
        )


def _others(place: Place, service: str | None, beyond: int) -> dict[str, list[KnownUpTo]]:
    """What is known of each log besides by readers and publishers."""
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


def described(wound: LostRange) -> Iterator[str]:
    """A wound for a person."""
    source = wound.source
    if wound.lost:
        known = ", ".join(f"{one.who} up to {one.position}" for one in wound.known)
        yield (
            f"{source}: its log ends at {wound.kept}, with an event of {wound.since:%Y-%m-%d %H:%M:%S} UTC; "
            f"known further by {known}: {wound.lost} positions, {wound.kept + 1} to {wound.upto}, are lost"
        )
    elif wound.mark:
        yield (
            f"{source}: the outside was told of another event at {wound.mark.position}, for the log went on after it "
            "was set back: up to there publishers tell nothing of it any more"
        )
    if wound.readers and not wound.lost:
        yield f"{source}: its log is filled, and {', '.join(wound.readers)} have not taken that on"
    for found in wound.contrary:
        yield f"{source}: {found}"


def _refuse_contrary(wounds: Sequence[LostRange]) -> None:
    if contrary := [wound.source for wound in wounds if wound.contrary]:
        fail(
            f"the log of {', '.join(contrary)} went on after it was set back, under readers who were away: they would "
            "never hear of that. Restore the same backup once more, and heal before its writer starts."
        )


def _as_json(wound: LostRange) -> dict[str, Any]:
    known = [asdict(one) for one in wound.known]
    return {
        "service": wound.source, "kept": wound.kept, "since": wound.since.isoformat(), "upto": wound.upto,
        "lost": wound.lost, "known": known, "readers": list(wound.readers),
    }  # fmt: skip


def _end(report: dict[str, Any], as_json: bool, message: str) -> NoReturn:
    console.print(message, soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    raise typer.Exit(TO_HEAL)


def _heal(wound: LostRange, place: Place) -> None:
    """Fill one log, then have its readers go on, and last its own writer, who asks them."""
    engine = open_engine(place.urls[wound.source], writer=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with _leading(wound.source, place), Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task(f"filling {wound.source}", total=wound.lost)
            healing.heal(
                wound, engine, datetime.now(UTC), lambda: str(uuid4()), lambda done, _: bar.update(task, completed=done)
            )
            for reader in wound.readers:
                _settle(wound.source, reader, place)
    except log.Fenced:
        fail(f"a writer of {wound.source} came in between: stop it, and say this again. What was filled stays filled.")
    finally:
        engine.dispose()
    agreed = f"; {', '.join(wound.readers)} go on" if wound.readers else ""
    console.print(f"{wound.source}: {wound.lost} positions are filled{agreed}", soft_wrap=True)


@contextmanager
def _leading(service: str, place: Place) -> Iterator[None]:
    """In the cluster, be the one who leads: writers stand by meanwhile, and begin anew after it."""
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
        fail(f"the writer of {service} keeps leading: stop it, and say this again.")
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
    """What the laws say now. What readers made of events that are lost shows as tables that differ."""
    console.print(proof_table(prove(services, place.logs, drained=False)))
    console.print(
        "Tables that differ hold what was made of lost events; note what they name, then `kameng rebuild all`. "
        "`kameng lost` tells of orders that are lost, and frees what is held for them.",
        soft_wrap=True,
    )
