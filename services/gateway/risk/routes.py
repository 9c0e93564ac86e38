"""Cases that wait for a person, and the lists."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.depends import IdempotencyKey, TheGate, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import PLAIN, Body, Line, Note, PathId, Reason, When
from services.gateway.risk.projection import risk_cases, risk_lists
from shared.contracts.risk import DecideCase, Dimension, ListName, RemoveListEntry, SetListEntry
from shared.eventstore.log import to_text
from shared.readside.batched_query import Row
from shared.values.identities import NoCanonicalForm, or_as_is, trait

router = APIRouter(prefix="/v1/risk", tags=["risk"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.RISK_READ))]
Decider = Annotated[Principal, Depends(may(Permission.RISK_DECIDE))]
Keeper = Annotated[Principal, Depends(may(Permission.RISK_LISTS))]


class DecisionBody(Body):
    decision: Literal["pass", "block"]
    note: Note = ""


class EntryBody(Body):
    """A value on a list, until a time or for good."""

    list: ListName
    dimension: Dimension
    value: Annotated[Line, Field(min_length=1)]
    reason: Reason
    until: When | None = None


@router.get("/cases", summary="List cases", response_model=Page)
async def cases(
    gate: TheGate,
    caller: Reader,
    status: Literal["open", "blocked", "decided", "closed"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Orders that did not simply pass; `open` ones wait for a decision, `closed` ones were cancelled first."""
    columns = risk_cases.c
    statement = sa.select(risk_cases)
    if status is not None:
        statement = statement.where(columns.status == status)
    return await page(gate, statement, (columns.screened_at, columns.order_id), limit, cursor)


@router.post("/cases/{order_id}/decision", summary="Decide a case")
async def decide(
    order_id: PathId,
    body: DecisionBody,
    gate: TheGate,
    caller: Decider,
    request: Request,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    command_id = gate.command_id(caller, request, key)
    await gate.send(DecideCase, caller, command_id, flow=order_id, order_id=order_id, **body.model_dump())
    return dict(await gate.row(sa.select(risk_cases).where(risk_cases.c.order_id == order_id)) or {})


@router.get("/lists", summary="What stands on the lists", response_model=Page)
async def lists(
    gate: TheGate,
    caller: Reader,
    name: ListName | None = None,
    dimension: Dimension | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """An entry that is `over` has reached its `until`: it counts for no order any more."""
    columns = risk_lists.c
    statement = sa.select(risk_lists)
    if name is not None:
        statement = statement.where(columns.list == name)
    if dimension is not None:
        statement = statement.where(columns.dimension == dimension)
    now = to_text(gate.backend.ports.now())

    def render(row: Row) -> dict[str, Any]:
        return {**row, "over": row["until"] is not None and row["until"] <= now}

    return await page(gate, statement, (columns.entry,), limit, cursor, ascending=True, render=render)


@router.post("/lists", status_code=201, summary="Put a value on a list")
async def put(
    body: EntryBody, gate: TheGate, caller: Keeper, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Answers the entry as orders are compared with it, such as `target:13800138000` for `+86 138-0013-8000`."""
    try:
        value = trait(body.dimension, body.value)
    except NoCanonicalForm as error:
        raise Problem(422, "wrong-entry", f"no order could match this: the {error}") from None
    if body.dimension == "customer":
        await require_customer(gate, caller, value)
    entry = f"{body.dimension}:{value}"
    told = {**body.model_dump(), "entry": entry, "value": value}
    await gate.send(SetListEntry, caller, gate.command_id(caller, request, key), **told)
    return {"entry": entry}


@router.delete("/lists/{entry:path}", summary="Take a value off its list")
async def remove(
    entry: Annotated[str, Path(max_length=520, pattern=PLAIN)],
    gate: TheGate,
    caller: Keeper,
    request: Request,
    reason: Annotated[Reason, Query()],
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    """The value, in whichever spelling; an entry that is shown can be taken off as it is shown."""
    command_id = gate.command_id(caller, request, key)
    listed = canonical_entry(entry)
    await gate.send(RemoveListEntry, caller, command_id, entry=listed, reason=reason)
    return {"entry": listed, "removed": True}


def canonical_entry(entry: str) -> str:
    """An entry of the version before that could never match has no other form than its own."""
    dimension, _, value = entry.partition(":")
    return f"{dimension}:{or_as_is(partial(trait, dimension), value)}" if dimension in get_args(Dimension) else entry
