"""Risk cases, and the block, watch and allow lists."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal, get_args

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.depends import Context, IdempotencyKey, may
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


CaseStatus = Literal["open", "blocked", "decided", "closed"]


class DecisionBody(Body):
    decision: Literal["pass", "block"]
    note: Note = ""


class ListEntryBody(Body):
    """A value on a list, until a time or for good."""

    list: ListName
    dimension: Dimension
    value: Annotated[Line, Field(min_length=1)]
    reason: Reason
    until: When | None = None


class Case(Answer):
    """The case of an order that did not pass its screening. `amount` is in minor units."""

    order_id: str
    status: CaseStatus
    screening: Literal["review", "block"] | None
    reasons: list[str]
    customer: str | None
    ip: str | None
    device: str | None
    amount: int | None
    currency: str | None
    decision: Literal["pass", "block"] | None
    note: str | None
    decided_by: str | None
    screened_at: str | None
    decided_at: str | None


class CaseToCome(Answer):
    """An empty object: the case was decided, and can't be read yet."""

    model_config = ConfigDict(extra="forbid")


class ListEntry(Answer):
    entry: str
    list: ListName
    dimension: Dimension
    value: str
    reason: str
    until: str | None
    set_at: str
    set_by: str
    over: bool


class Listed(Answer):
    """The entry in the form that orders are compared with."""

    entry: str


class Unlisted(Answer):
    entry: str
    removed: Literal[True]


@router.get("/cases", summary="List cases", response_model=Page[Case], responses=refusals(*ASKED))
async def cases(
    context: Context,
    caller: Reader,
    status: CaseStatus | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Orders that did not pass their screening. `open` cases wait for a decision. For `closed` ones the order was
    cancelled before a decision."""
    columns = risk_cases.c
    statement = sa.select(risk_cases)
    if status is not None:
        statement = statement.where(columns.status == status)
    return await page(context, statement, (columns.screened_at, columns.order_id), limit, cursor)


@router.post(
    "/cases/{order_id}/decision",
    summary="Decide a case",
    response_model=Case | CaseToCome,
    responses=refusals(*DECIDED),
)
async def decide(
    order_id: PathId,
    body: DecisionBody,
    context: Context,
    caller: Decider,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    command_id = context.command_id(caller, request, key)
    command = DecideCase(order_id=order_id, decision=body.decision, note=body.note)
    await context.send(command, caller, command_id, flow=order_id)
    return answer(await context.row(sa.select(risk_cases).where(risk_cases.c.order_id == order_id)) or {})


@router.get(
    "/lists", summary="List the entries of the lists", response_model=Page[ListEntry], responses=refusals(*ASKED)
)
async def lists(
    context: Context,
    caller: Reader,
    name: ListName | None = None,
    dimension: Dimension | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """An entry that is `over` is past its `until`, and no longer counts."""
    columns = risk_lists.c
    statement = sa.select(risk_lists)
    if name is not None:
        statement = statement.where(columns.list == name)
    if dimension is not None:
        statement = statement.where(columns.dimension == dimension)
    now = to_text(context.backend.clock.now())

    def render(row: Row) -> dict[str, Any]:
        return {**row, "over": row["until"] is not None and row["until"] <= now}

    return await page(context, statement, (columns.entry,), limit, cursor, ascending=True, render=render)


@router.post(
    "/lists",
    status_code=201,
    summary="Put a value on a list",
    response_model=Listed,
    responses=refusals(*DECIDED),
)
async def put(
    body: ListEntryBody, context: Context, caller: Keeper, request: Request, key: IdempotencyKey = None
) -> Response:
    """Answers the entry in the form that orders are compared with: `target:13800138000` for `+86 138-0013-8000`."""
    try:
        value = trait(body.dimension, body.value)
    except NoCanonicalForm as error:
        raise Problem(422, "wrong-entry", f"no order can match this value: the {error}") from None
    if body.dimension == "customer":
        await require_customer(context, caller, value)
    entry = f"{body.dimension}:{value}"
    command = SetListEntry(
        entry=entry, list=body.list, dimension=body.dimension, value=value, reason=body.reason, until=body.until
    )
    await context.send(command, caller, context.command_id(caller, request, key))
    return answer({"entry": entry}, 201)


@router.delete(
    "/lists/{entry:path}",
    summary="Take a value off its list",
    response_model=Unlisted,
    responses=refusals(*DECIDED),
)
async def remove(
    entry: Annotated[str, Path(max_length=520, pattern=PLAIN)],
    context: Context,
    caller: Keeper,
    request: Request,
    reason: Annotated[Reason, Query()],
    key: IdempotencyKey = None,
) -> Response:
    """`entry` may have any spelling of the value, also the listed one."""
    command_id = context.command_id(caller, request, key)
    listed = canonical_entry(entry)
    await context.send(RemoveListEntry(entry=listed, reason=reason), caller, command_id)
    return answer({"entry": listed, "removed": True})


def canonical_entry(entry: str) -> str:
    """The canonical form of an entry. An entry of an earlier version without one stays as it is."""
    dimension, _, value = entry.partition(":")
    return f"{dimension}:{or_as_is(partial(trait, dimension), value)}" if dimension in get_args(Dimension) else entry
