"""`kameng lost`: orders that an older backup of `order` lost, and what other services still hold for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated
from uuid import uuid4

import typer
from rich.table import Table

from cli.common import (
    Json,
    console,
    fail,
    services_of,
)
from cli.parked import substitute
from cli.places import (
    AnyVar,
    InCluster,
    Place,
    place_of,
)
from cli.proofs import Logs
from laws import OrdersKnown
from laws.known import Kept
from shared.contracts import Command, Metadata
from shared.contracts.inventory import ReleaseStock
from shared.contracts.ledger import CaptureHold, VoidHold
from shared.eventstore import log, log_reader
from shared.laws import LawChecker
from shared.messages.messages import CommandMessage
from shared.runtime.embedded import InUse
from shared.runtime.service import Service

REASON = "the order was lost with a database"
ORDER_LAST = ("inventory", "fulfillment", "ledger", "order")
Orders = dict[str, Kept]


def lost(
    context: typer.Context,
    release: Annotated[
        bool,
        typer.Option("--release", help="Free what is held where nothing was delivered. 释放未交付订单。"),
    ] = False,
    void: Annotated[
        list[str] | None, typer.Option(metavar="ORDER", help="Free it for this one, delivered or not. 释放此订单。")
    ] = None,
    capture: Annotated[
        list[str] | None,
        typer.Option(metavar="ORDER", help="All was delivered: take the whole hold as earned. 确认收入。"),
    ] = None,
    var: AnyVar = None,
    cluster: InCluster = False,
    as_json: Json = False,
) -> None:
    """Orders that were lost with an older backup, and what is held for them; free it. 丢失的订单。

    After `kameng heal`: money and stock of orders that the log of `order` does not know any more. What is freed of
    money that was paid at a channel is paid back there. Ends with 1 while there are such orders.
    """
    services = {one.name: one for one in services_of(context)}
    with place_of(var, services_of(context), cluster=cluster) as place:
        found = forgotten(place.logs)
        wanted = [*(void or ()), *(capture or ())]
        if strange := sorted(set(wanted) - found.keys()):
            fail(f"nothing is held for an order {', '.join(strange)} that is lost.")
        if release:
            wanted += [order_id for order_id, kept in found.items() if not kept.delivered]
        commands = {one: _commands(one, found[one], captured=one in (capture or ())) for one in dict.fromkeys(wanted)}
        _send(services, place, commands)
        left = forgotten(place.logs) if commands else found
    _show(found, left, as_json=as_json)
    if left:
        raise typer.Exit(1)


def forgotten(logs: Logs) -> Orders:
    """The orders that the log of `order` does not have, and that other services hold something for."""
    checker = LawChecker([OrdersKnown])
    for source in ORDER_LAST:
        if source in logs:
            for recorded in log_reader.read_all(logs[source], source):
                checker.saw(recorded)
    return dict(checker.law(OrdersKnown).forgotten())


def _commands(order_id: str, kept: Kept, *, captured: bool) -> list[tuple[str, Command]]:
    """The commands that free what is held for the order, each with its service."""
    wanted: list[tuple[str, Command]] = []
    if kept.amount is not None and captured:
        wanted.append(("ledger", CaptureHold(order_id=order_id, amount=kept.amount)))
    elif kept.amount is not None:
        wanted.append(("ledger", VoidHold(order_id=order_id, reason=REASON)))
    for line, (sku, _) in kept.reserved.items():
        wanted.append(("inventory", ReleaseStock(sku=sku, order_id=order_id, line=line, reason=REASON)))
    return wanted


def _send(services: dict[str, Service], place: Place, wanted: dict[str, list[tuple[str, Command]]]) -> None:
    for name in sorted({name for commands in wanted.values() for name, _ in commands}):
        own = [command for commands in wanted.values() for owner, command in commands if owner == name]
        try:
            with substitute(services[name], place) as stand_in:
                for message in _messages(own):
                    reply = stand_in.send(message)
                    if reply.outcome != "accepted":
                        fail(f"{name} says {reply.code} to {message.command.partition_key()}: {reply.detail}")
        except InUse as error:
            fail(f"{error}. Stop it first.")
        except log.Fenced:
            fail(f"the writer of {name} keeps starting anew: look at its log, and try again.")


def _messages(commands: Sequence[Command]) -> Iterator[CommandMessage]:
    for command in commands:
        id_ = str(uuid4())
        yield CommandMessage(id_, command, Metadata(correlation_id=id_, causation_id=id_, actor="system:lost"))


def _show(found: Orders, left: Orders, *, as_json: bool) -> None:
    table = Table()
    table.add_column("Order 订单", no_wrap=True)
    table.add_column("Kept for it 保留")
    table.add_column("", no_wrap=True)
    for order_id, kept in found.items():
        state = "[red]lost 丢失[/red]" if order_id in left else "[green]freed 已释放[/green]"
        table.add_row(order_id, str(kept), state)
    console.print(table if found else "nothing is held for an order that is lost 无丢失订单")
    if any(kept.delivered for kept in left.values()):
        console.print(
            "Something was delivered of these orders. Ask the buyer, or look at the order in the gateway. Then "
            "--capture an order that was delivered in full, or --void it and let the buyer keep the goods.",
            soft_wrap=True,
        )
    if as_json:
        shown = [
            {"order_id": order_id, "kept": str(kept), "delivered": kept.delivered, "freed": order_id not in left}
            for order_id, kept in found.items()
        ]
        typer.echo(json.dumps({"orders": shown}, ensure_ascii=False))
