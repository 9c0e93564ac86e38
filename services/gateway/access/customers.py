"""Customers that requests refer to."""

from __future__ import annotations

from services.gateway.access.auth import Principal
from services.gateway.access.projection import customers
from services.gateway.http.context import ApiContext
from shared.readside.batched_query import BatchedQuery

CUSTOMER = BatchedQuery(customers.c.customer)


async def require_customer(context: ApiContext, caller: Principal, customer: str) -> None:
    """Raises Problem: 404 for a customer who never registered, 503 when the read models may not show them yet.

    Customers who ask for themselves need no query: their token proves that they are registered.
    """
    if caller.kind == "customer" and caller.subject == customer:
        return
    if await context.found(CUSTOMER, customer) is None:
        raise await context.absent(caller, "gateway", "customer")
