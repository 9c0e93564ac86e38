"""`kameng events` and `kameng order show`: show events of the logs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from cli.common import console, fail, services_of
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    place_of,
)
from shared.contracts import Money
from shared.eventstore import log, log_reader, schema
from shared.eventstore.recorded import RecordedEvent
from shared.eventstore.unreadable import described

order_app = typer.Typer(help="Look at orders. 查看订单。", no_args_is_help=True)
SEALED = {"box", "envelope", "keys", "buyer_key"}
ORDER_STREAMS = {"order": "order-{}", "ledger": "hold-{}", "risk": "screening-{}"}


def events(
    context: typer.Context,
    service: Annotated[str, typer.Argument(help="Whose log. 服务名。")],
    after: Annotated[int, typer.Option(help="Only behind this position. 起始位置。")] = 0,
    limit: Annotated[int, typer.Option(help="At most so many. 最多条数。")] = 50,
    stream: Annotated[str | None, typer.Option(help="Only this stream. 指定事件流。")] = None,
    as_of: Annotated[datetime | None, typer.Option(help="Only up to this time (UTC). 截止时间。")] = None,
    var: AnyVar = None,
    cluster: InCluster = False,
) -> None:
    """Print a service's events, one JSON object a line; sealed texts are left out. 查看事件。"""
    services = services_of(context)
    if service not in [one.name for one in services]:
        fail(f"there is no service {service}: {', '.join(one.name for one in services)}.", code=2)
    with (
        place_of(var, [one for one in services if one.name == service], cluster=cluster) as place,
        _reading(service),
        place.logs[service].connect() as connection,
    ):
        last = log_reader.position_at(connection, as_of.replace(tzinfo=as_of.tzinfo or UTC)) if as_of else None
        if stream:
            whole = log_reader.read_streams(connection, service, {stream: 0})[stream]
            found = [one for one in whole if one.position > after]
        else:
            found = list(islice(log_reader.read_all(place.logs[service], service, after=after), limit))
    for recorded in found[:limit]:
        if last is None or recorded.position <= last:
            typer.echo(json.dumps(_shown(recorded), ensure_ascii=False))


@contextmanager
def _reading(service: str) -> Iterator[None]:
    """End the command with a message when a log can't be read."""
    try:
        yield
    except (SQLAlchemyError, TypeError, ValueError) as error:
        fail(f"{service}: {described(error)}")


def _shown(recorded: RecordedEvent) -> dict[str, object]:
    try:
        data = {key: value for key, value in json.loads(recorded.data).items() if key not in SEALED}
        _ = recorded.meta
    except (ValueError, AttributeError) as error:
        place = {name: getattr(recorded, name) for name in ("source", "position", "stream", "version", "type")}
        return {**place, "at": log.to_text(recorded.at), "unreadable": type(error).__name__}
    return {
        "source": recorded.source, "position": recorded.position,
        "stream": recorded.stream, "version": recorded.version,
        "type": recorded.type, "at": log.to_text(recorded.at), "actor": recorded.meta.actor, "data": data,
        "correlation_id": recorded.meta.correlation_id, **_trace_of(recorded),
    }  # fmt: skip


def _trace_of(recorded: RecordedEvent) -> dict[str, str]:
    """The trace that the event belongs to, if anybody traced it."""
    traceparent = recorded.meta.traceparent
    return {"trace_id": traceparent.split("-")[1]} if traceparent else {}


@order_app.command("show")
def show(context: typer.Context, order_id: str, var: AnyVar = None, cluster: InCluster = False) -> None:
    """The whole life of an order: what happened, when, and who did it. 订单全过程。"""
    with place_of(var, services_of(context), cluster=cluster) as place:
        found = _streams_of(order_id, place)
    if not any(found):
        fail(f"no order {order_id} in {place.var}.")
    table = Table(title=f"Order 订单 {order_id}")
    for column in ("Time (UTC) 时间", "Service 服务", "Event 事件", "Actor 操作者", "Detail 详情"):
        table.add_column(column, overflow="fold")
    for recorded in merge(*found, key=lambda one: one.at):
        shown = _shown(recorded)
        if "unreadable" in shown:
            where = f"{recorded.source}: the event at position {recorded.position}"
            fail(f"{where} can't be read; `kameng verify` tells more.")
        data = shown["data"]
        detail = json.dumps(data, ensure_ascii=False) if recorded.name != "OrderPlaced" else _lines(recorded)
        table.add_row(f"{recorded.at:%H:%M:%S.%f}"[:-3], recorded.source, recorded.name, recorded.meta.actor, detail)
    console.print(table)
    traces = dict.fromkeys(trace for stream in found for one in stream for trace in _trace_of(one).values())
    console.print(f"Log lines 日志: correlation_id {order_id}", *(f"· Trace 链路 {trace}" for trace in traces))


def _streams_of(order_id: str, place: Place) -> list[Sequence[RecordedEvent]]:
    found: list[Sequence[RecordedEvent]] = []
    for service, pattern in ORDER_STREAMS.items():
        with _reading(service), place.logs[service].connect() as connection:
            stream = pattern.format(order_id)
            found.append(log_reader.read_streams(connection, service, {stream: 0})[stream])
    with _reading("fulfillment"), place.logs["fulfillment"].connect() as connection:
        prefix = f"delivery-{order_id}/"
        streams = sa.select(schema.log.c.stream).where(
            schema.log.c.stream >= prefix, schema.log.c.stream < prefix + "\uffff"
        )
        wanted = dict.fromkeys(connection.execute(streams.distinct()).scalars(), 0)
        found.extend(log_reader.read_streams(connection, "fulfillment", wanted).values())
    return found


def _lines(recorded: RecordedEvent) -> str:
    data = json.loads(recorded.data)
    lines = (f"{line['quantity']} × {line['name']} ({line['sku']})" for line in data["lines"])
    return f"{'; '.join(lines)} = {Money.model_validate(data['total'])}"
