"""The books: the trial balance, the accounts' entries, and manual entries."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.depends import Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Items, Limit, Page, as_json, encode, page, place
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.shapes import Body, Currency, Name, PathId, Reason
from services.gateway.ledger.owners import require_owner
from services.gateway.ledger.projection import accounts, entries
from shared.contracts import Money
from shared.contracts.ledger import PostEntry, Posting, ReverseEntry
from shared.readside.batched_query import QueryRunner

router = APIRouter(prefix="/v1/ledger", tags=["money"], route_class=JsonRoute)
Reader = Annotated[Principal, Depends(may(Permission.LEDGER_READ))]
Poster = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]
ACCOUNT = (accounts.c.account, accounts.c.currency)
MOST_ACCOUNTS = 10_000


class PostingBody(Body):
    """A positive amount, in minor units, debits the account; a negative one credits it."""

    account: Name
    amount: Annotated[int, Field(ge=-(10**15), le=10**15, strict=True)]
    currency: Currency = "CNY"


class EntryBody(Body):
    postings: Annotated[list[PostingBody], Field(min_length=2, max_length=100)]
    note: Reason


class ReversalBody(Body):
    note: Reason


class Account(Answer):
    """An account. `posted` is the sum of its postings, debits positive; `held` is the part that is set aside."""

    account: str
    currency: str
    posted: int
    held: int


class Entry(Answer):
    """A posting of an entry: number `index` of the ledger's event at `position`. `concerns` is the order, payment or
    entry that it is about."""

    position: int
    index: int
    account: str
    amount: int
    currency: str
    event: str
    concerns: str
    at: str


class Posted(Answer):
    entry_id: str


class Reversed(Answer):
    entry_id: str
    reversed: Literal[True]


class TrialBalance(Answer):
    """A page of accounts. `sums`, by currency, are over all accounts, not only those on this page."""

    accounts: list[Account]
    sums: dict[str, int]
    next: str | None


@router.get(
    "/trial-balance",
    summary="Read every account's balance",
    dependencies=[Depends(may(Permission.LEDGER_READ))],
    response_model=TrialBalance,
    responses=refusals(*ASKED),
)
async def trial_balance(context: Context, cursor: Cursor = None) -> Response:
    """Debits are positive. `sums` is over all accounts, and zero in every currency. `next` continues the accounts."""
    after = place(cursor, ACCOUNT) if cursor is not None else None
    return await context.in_page_thread(_trial_balance, context.reading, after)


def _trial_balance(reading: QueryRunner, after: list[str] | None) -> Response:
    sums: defaultdict[str, int] = defaultdict(int)
    items, last, is_full = Items(MOST_ACCOUNTS), after, False
    for row in reading.stream(sa.select(accounts).order_by(*ACCOUNT)):
        sums[row["currency"]] += row["posted"]
        here = [row[column.name] for column in ACCOUNT]
        if is_full or (after is not None and here <= after):
            continue
        is_full = not items.take(as_json(row))
        last = last if is_full else here
    return items.answer(encode(last) if is_full else None, "accounts", sums=sums)


@router.get(
    "/accounts/{account:path}/entries",
    summary="List an account's entries, the newest first",
    response_model=Page[Entry],
    responses=refusals(*ASKED),
)
async def list_entries(
    account: PathId, context: Context, caller: Reader, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    statement = sa.select(entries).where(entries.c.account == account)
    return await page(context, statement, (entries.c.position, entries.c.index), limit, cursor)


@router.post(
    "/entries",
    status_code=201,
    summary="Post a manual entry",
    response_model=Posted,
    responses=refusals(*DECIDED),
)
async def post(
    body: EntryBody, context: Context, caller: Poster, request: Request, key: IdempotencyKey = None
) -> Response:
    """The postings must balance in every currency. An entry is never edited, only reversed."""
    for account in dict.fromkeys(posting.account for posting in body.postings):
        await require_owner(context, caller, account)
    entry_id = context.command_id(caller, request, key)
    postings = tuple(
        Posting(account=posting.account, amount=Money(amount=posting.amount, currency=posting.currency))
        for posting in body.postings
    )
    await context.send(PostEntry(entry_id=entry_id, postings=postings, note=body.note), caller, entry_id)
    return answer({"entry_id": entry_id}, 201)


@router.post(
    "/entries/{entry_id}/reversal",
    status_code=201,
    summary="Reverse a manual entry",
    response_model=Reversed,
    responses=refusals(*DECIDED),
)
async def reverse(
    entry_id: PathId,
    body: ReversalBody,
    context: Context,
    caller: Poster,
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    command_id = context.command_id(caller, request, key)
    await context.send(ReverseEntry(entry_id=entry_id, note=body.note), caller, command_id)
    return answer({"entry_id": entry_id, "reversed": True}, 201)
