"""Products: the catalogue with its stock."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.gateway.api.depends import Caller, IdempotencyKey, TheGate, may
from services.gateway.api.gate import Gate
from services.gateway.api.pages import Cursor, Limit, page
from services.gateway.api.shapes import Body, PathId, Word
from services.gateway.auth import Permission, Principal
from services.gateway.problems import not_found
from services.gateway.tables.products import products
from shared.contracts.inventory import Kind, SetSale, Source
from shared.hosting.reading import Lookup, Row

router = APIRouter(prefix="/v1/products", tags=["products"])
PRODUCT = Lookup(products.c.sku)
STAFF_ONLY = ("cost", "suppliers", "low_stock_threshold")


class SaleBody(Body):
    on_sale: Annotated[bool, Field(strict=True)]


def _rendered(row: Row, caller: Principal) -> dict[str, Any]:
    """Buyers see what is sold and how many are left; staff see all of the stock, and some the cost."""
    listing = {**row["listing"], "on_sale": row["on_sale"]}
    if not caller.may(Permission.PRODUCT_COST):
        listing = {name: value for name, value in listing.items() if name not in STAFF_ONLY}
    stock = ("available",) if caller.kind != "staff" else ("loaded", "available", "reserved", "sold", "faulted")
    shown = {**listing, "listed_at": row["listed_at"], "changed_at": row["changed_at"]}
    return {**shown, "stock": {name: row[name] for name in stock}} if row["source"] == "keys" else shown


@router.get("", summary="List products")
async def listed(
    gate: TheGate,
    caller: Caller,
    kind: Kind | None = None,
    source: Source | None = None,
    on_sale: bool | None = None,
    name: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """By SKU. `name` finds a part of the name or of the SKU. Buyers see what is on sale."""
    columns = products.c
    statement = sa.select(products)
    if kind is not None:
        statement = statement.where(columns.kind == kind)
    if source is not None:
        statement = statement.where(columns.source == source)
    if caller.kind != "staff":
        statement = statement.where(columns.on_sale.is_(True))
    if on_sale is not None:
        statement = statement.where(columns.on_sale.is_(on_sale))
    if name:
        statement = statement.where(
            columns.name.icontains(name, autoescape=True) | columns.sku.icontains(name, autoescape=True)
        )
    rows, following = await page(gate, statement, (columns.sku,), limit, cursor, ascending=True)
    return {"items": [_rendered(row, caller) for row in rows], "next": following}


async def _find(gate: Gate, caller: Principal, sku: str) -> Row:
    row = await gate.found(PRODUCT, sku)
    if row is None:
        raise await gate.absent(caller, "inventory", "product")
    return row


@router.get("/{sku:path}", summary="Read a product")
async def one(sku: PathId, gate: TheGate, caller: Caller) -> dict[str, Any]:
    row = await _find(gate, caller, sku)
    if caller.kind != "staff" and not row["on_sale"]:
        raise not_found("product")
    return _rendered(row, caller)


@router.patch("/{sku:path}", summary="Put a product on sale, or take it off")
async def change(
    sku: PathId,
    body: SaleBody,
    gate: TheGate,
    caller: Annotated[Principal, Depends(may(Permission.PRODUCT_CHANGE))],
    request: Request,
    key: IdempotencyKey = None,
) -> dict[str, Any]:
    await gate.send(SetSale, caller, gate.command_id(caller, request, key), sku=sku, on_sale=body.on_sale)
    return _rendered(await _find(gate, caller, sku), caller)
