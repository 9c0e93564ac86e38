"""The books: the trial balance, the accounts' entries, and manual entries."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.gateway.api.depends import IdempotencyKey, TheGate, may
from services.gateway.api.pages import Cursor, Limit, page
from services.gateway.api.shapes import Body, Name, PathId, Reason
from services.gateway.auth import Permission, Principal
from services.gateway.tables.money import accounts, entries
from shared.contracts import Money
from shared.contracts.ledger import PostEntry, Posting, ReverseEntry

router = APIRouter(prefix="/v1/ledger", tags=["money"])
Reader = Annotated[Principal, Depends(may(Permission.LEDGER_READ))]
Poster = Annotated[Principal, Depends(may(Permission.LEDGER_POST))]


class PostingBody(Body):
    """A positive amount, in minor units, debits the account; a negative one credits it."""

    account: Name
    amount: Annotated[int, Field(ge=-(10**15), le=10**15, strict=True)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", strict=True)] = "CNY"


class EntryBody(Body):
    postings: Annotated[list[PostingBody], Field(min_length=2, max_length=100)]
    note: Reason


class ReversalBody(Body):
    note: Reason


@router.get("/trial-balance", summary="Every account's balance", dependencies=[Depends(may(Permission.LEDGER_READ))])
async def trial_balance(gate: TheGate) -> dict[str, Any]:
    """Debits are positive; `sums` is zero in every currency."""
    rows = await gate.rows(sa.select(accounts).order_by(accounts.c.account, accounts.c.currency))
    sums: dict[str, int] = defaultdict(int)
    for row in rows:
        sums[row["currency"]] += row["posted"]
    return {"accounts": list(rows), "sums": sums}


@router.get("/accounts/{account:path}/entries", summary="An account's entries, the newest first")
async def of_account(
    account: PathId, gate: TheGate, caller: Reader, limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    statement = sa.select(entries).where(entries.c.account == account)
    rows, following = await page(gate, statement, (entries.c.position, entries.c.index), limit, cursor)
    return {"items": list(rows), "next": following}


@router.post("/entries", status_code=201, summary="Post a manual entry")
async def post(
    body: EntryBody, gate: TheGate, caller: Poster, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Postings balance in every currency. Nothing is ever edited, only reversed."""
    entry_id = gate.command_id(caller, request, key)
    postings = tuple(
        Posting(account=posting.account, amount=Money(amount=posting.amount, currency=posting.currency))
        for posting in body.postings
    )
    await gate.send(PostEntry, caller, entry_id, entry_id=entry_id, postings=postings, note=body.note)
    return {"entry_id": entry_id}


@router.post("/entries/{entry_id}/reversal", status_code=201, summary="Reverse a manual entry")
async def reverse(
    entry_id: PathId,
    body: ReversalBody,
    gate: TheGate,
    caller: Poster,
    request: Request,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    await gate.send(ReverseEntry, caller, gate.command_id(caller, request, key), entry_id=entry_id, note=body.note)
    return {"entry_id": entry_id, "reversed": True}
