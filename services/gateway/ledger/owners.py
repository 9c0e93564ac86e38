"""The owners of accounts: customers, suppliers and payment channels."""

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
CHANNEL_ACCOUNTS = ("channel", "by-hand", "suspense", "difference")
SUPPLIER_ACCOUNTS = ("supplier", "claims")
_WALLET = "wallet:"


def wallet_of(customer: str) -> str:
    """The account in the books that holds a customer's money."""
    return f"{_WALLET}{customer}"


async def require_owner(context: ApiContext, caller: Principal, account: str) -> None:
    """Check that the owner of an account exists. Raises Problem as `require_customer` does for a wallet, and 422 for an
    unknown supplier or channel."""
    kind, _, name = account.partition(":")
    if kind in CHANNEL_ACCOUNTS:
        await _require_channel(context, name)
    if kind == "wallet":
        await require_customer(context, caller, name)
    elif kind in SUPPLIER_ACCOUNTS:
        await _require_supplier(context, name)


async def _require_channel(context: ApiContext, name: str) -> None:
    """A channel is known when it is configured, or when the books have an account of it."""
    if name in context.backend.settings.channels:
        return
    names = [f"{kind}:{name}" for kind in CHANNEL_ACCOUNTS]
    if await context.row(sa.select(accounts.c.account).where(accounts.c.account.in_(names))) is not None:
        return
    if not await context.backend.caught_up("ledger"):
        raise not_shown_yet("channel")
    raise Problem(422, "unknown-channel", "no payment channel has or had this name")


async def _require_supplier(context: ApiContext, name: str) -> None:
    """A supplier is known when it is configured, when a product or a batch of keys names it, or when the books have an
    account of it."""
    if name in context.backend.settings.suppliers or await context.found(SUPPLIER, name) is not None:
        return
    names = [f"{kind}:{name}" for kind in SUPPLIER_ACCOUNTS]
    if await context.row(sa.select(accounts.c.account).where(accounts.c.account.in_(names))) is not None:
        return
    for source in ("inventory", "ledger"):
        if not await context.backend.caught_up(source):
            raise not_shown_yet("supplier")
    raise Problem(422, "unknown-supplier", "no supplier has or had this name")
