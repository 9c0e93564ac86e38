"""Whose an account of the books is: customers, suppliers and payment channels."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.access.auth import Principal
from services.gateway.access.customers import require_customer
from services.gateway.http.context import ApiContext
from services.gateway.http.problems import Problem, not_shown_yet
from services.gateway.ledger.projection import accounts
from services.gateway.products.projection import known_suppliers
from shared.readside.batched_query import BatchedQuery

SUPPLIER = BatchedQuery(known_suppliers.c.supplier)
OF_CHANNELS = ("channel", "by-hand", "suspense", "difference")
OF_SUPPLIERS = ("supplier", "claims")
_WALLET = "wallet:"


def wallet_of(customer: str) -> str:
    """The account in the books that holds a customer's money."""
    return f"{_WALLET}{customer}"


async def require_owner(context: ApiContext, caller: Principal, account: str) -> None:
    """Raises Problem as `require_customer` does, for an account that is the wallet of nobody, and 422 for one of a
    supplier whom nothing was ever bought from, or is to be, and of a channel that there never was."""
    kind, _, name = account.partition(":")
    if kind in OF_CHANNELS:
        await _require_channel(context, name)
    if kind == "wallet":
        await require_customer(context, caller, name)
    elif kind in OF_SUPPLIERS:
        await _require_supplier(context, name)


async def _require_channel(context: ApiContext, name: str) -> None:
    """One that is configured, or that the books know already."""
    if name in context.backend.settings.channels:
        return
    names = [f"{kind}:{name}" for kind in OF_CHANNELS]
    if await context.row(sa.select(accounts.c.account).where(accounts.c.account.in_(names))) is not None:
        return
    if not await context.backend.caught_up("ledger"):
        raise not_shown_yet("channel")
    raise Problem(422, "unknown-channel", "there is no payment channel of this name, and there never was")


async def _require_supplier(context: ApiContext, name: str) -> None:
    """One that is configured, that a product or a batch of keys names, or that the books know already."""
    if name in context.backend.settings.suppliers or await context.found(SUPPLIER, name) is not None:
        return
    names = [f"{kind}:{name}" for kind in OF_SUPPLIERS]
    if await context.row(sa.select(accounts.c.account).where(accounts.c.account.in_(names))) is not None:
        return
    for source in ("inventory", "ledger"):
        if not await context.backend.caught_up(source):
            raise not_shown_yet("supplier")
    raise Problem(422, "unknown-supplier", "nothing was ever bought from a supplier of this name, or is to be")
