"""Cases that wait for a person, and the lists."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field

from services.gateway.api.depends import IdempotencyKey, TheGate, may
from services.gateway.api.pages import Cursor, Limit, page
from services.gateway.api.shapes import PLAIN, Body, Line, Note, PathId, Reason, When
from services.gateway.auth import Permission, Principal
from services.gateway.tables.risk import risk_cases, risk_lists
from shared.contracts.risk import DecideCase, Dimension, ListName, RemoveListEntry, SetListEntry

router = APIRouter(prefix="/v1/risk", tags=["risk"])
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


@router.get("/cases", summary="List cases")
async def cases(
    gate: TheGate,
    caller: Reader,
    status: Literal["open", "blocked", "decided"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Orders that did not simply pass; `open` ones wait for a decision."""
    columns = risk_cases.c
    statement = sa.select(risk_cases)
    if status is not None:
        statement = statement.where(columns.status == status)
    rows, following = await page(gate, statement, (columns.screened_at, columns.order_id), limit, cursor)
    return {"items": list(rows), "next": following}


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


@router.get("/lists", summary="What stands on the lists")
async def lists(
    gate: TheGate,
    caller: Reader,
    name: ListName | None = None,
    dimension: Dimension | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    columns = risk_lists.c
    statement = sa.select(risk_lists)
    if name is not None:
        statement = statement.where(columns.list == name)
    if dimension is not None:
        statement = statement.where(columns.dimension == dimension)
    rows, following = await page(gate, statement, (columns.entry,), limit, cursor, ascending=True)
    return {"items": list(rows), "next": following}


@router.post("/lists", status_code=201, summary="Put a value on a list")
async def put(
    body: EntryBody, gate: TheGate, caller: Keeper, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    entry = f"{body.dimension}:{body.value}"
    await gate.send(SetListEntry, caller, gate.command_id(caller, request, key), entry=entry, **body.model_dump())
    return {"entry": entry}


@router.delete("/lists/{entry:path}", summary="Take a value off its list")
async def remove(
    entry: Annotated[str, Path(max_length=520, pattern=PLAIN)],
    gate: TheGate,
    caller: Keeper,
    request: Request,
    reason: Annotated[str, Query(min_length=1, max_length=500, pattern=PLAIN)],
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    await gate.send(RemoveListEntry, caller, gate.command_id(caller, request, key), entry=entry, reason=reason)
    return {"entry": entry, "removed": True}
