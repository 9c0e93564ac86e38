"""Products with their stock."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import Permission, Principal
from services.gateway.http.answers import DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import Caller, Context, IdempotencyKey, may
from services.gateway.http.pages import Cursor, Limit, Page, page
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import not_found
from services.gateway.http.shapes import Body, PathId, Word
from services.gateway.products.projection import expired, expiring_keys, products
from shared.contracts import Money
from shared.contracts.inventory import Kind, SetSale, Source, Tier
from shared.readside.batched_query import BatchedQuery, Row
from shared.values.characters import as_written
from shared.values.identities import or_as_is

router = APIRouter(prefix="/v1/products", tags=["products"], route_class=JsonRoute)
PRODUCT = BatchedQuery(products.c.sku)
EXPIRING = BatchedQuery(expiring_keys.c.sku)
SHOWN_TO_STAFF = ("loaded", "reserved", "sold", "faulted", "withdrawn")
STAFF_ONLY = ("cost", "suppliers", "low_stock_threshold")


class Stock(Answer):
    """The stock of a product. `available` counts the keys that are for sale; the other counts are for staff."""

    available: int
    loaded: int = 0
    reserved: int = 0
    sold: int = 0
    faulted: int = 0
    withdrawn: int = 0
    expired: int = 0


class Product(Answer):
    """A product. Products with keys have `stock`. `cost`, `suppliers` and `low_stock_threshold` are for staff who may
    see costs."""

    sku: str
    name: str
    kind: Kind
    source: Source
    category: list[str]
    tags: list[str]
    face_value: Money | None
    price: Money
    tiers: list[Tier]
    per_order_limit: int
    on_sale: bool
    listed_at: str
    changed_at: str
    stock: Stock | None = None
    cost: Money | None = None
    suppliers: tuple[str, ...] = ()
    low_stock_threshold: int = 0


class SaleBody(Body):
    on_sale: Annotated[bool, Field(strict=True)]


def _rendered(row: Row, expired: int, caller: Principal) -> dict[str, Any]:
    """A product as the caller may see it: buyers see how many are left, staff all of the stock, and some staff the
    cost. The row still counts `expired` keys as available."""
    listing = {**row["listing"], "on_sale": row["on_sale"]}
    if not caller.may(Permission.PRODUCT_COST):
        listing = {name: value for name, value in listing.items() if name not in STAFF_ONLY}
    fields = {**listing, "listed_at": row["listed_at"], "changed_at": row["changed_at"]}
    if row["source"] != "keys":
        return fields
    stock: dict[str, int] = {"available": max(0, row["available"] - expired)}
    if caller.kind == "staff":
        stock |= {name: row[name] for name in SHOWN_TO_STAFF} | {"expired": expired}
    return {**fields, "stock": stock}


@router.get("", summary="List products", response_model=Page[Product], responses=refusals(401))
async def listed(
    context: Context,
    caller: Caller,
    kind: Kind | None = None,
    source: Source | None = None,
    on_sale: bool | None = None,
    name: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Products are in the order of their SKUs. `name` finds a part of the name or of the SKU. Buyers see only products
    on sale."""
    columns = products.c
    expired_keys = expired(context.today())
    statement = sa.select(products, sa.func.coalesce(expired_keys.c.expired, 0).label("expired")).select_from(
        products.outerjoin(expired_keys, expired_keys.c.sku == products.c.sku)
    )
    if kind is not None:
        statement = statement.where(columns.kind == kind)
    if source is not None:
        statement = statement.where(columns.source == source)
    if caller.kind != "staff":
        statement = statement.where(columns.on_sale.is_(True))
    if on_sale is not None:
        statement = statement.where(columns.on_sale.is_(on_sale))
    if name:
        # Names are stored as they were typed. Look for the text as given, and in ordinary width without invisible
        # characters.
        parts = {name, or_as_is(partial(as_written, "name"), name)}
        found = (c.icontains(part, autoescape=True) for part in parts for c in (columns.name, columns.sku))
        statement = statement.where(sa.or_(*found))

    def render(row: Row) -> dict[str, Any]:
        return _rendered(row, int(row["expired"]), caller)

    return await page(context, statement, (columns.sku,), limit, cursor, ascending=True, render=render)


async def _find(context: ApiContext, caller: Principal, sku: str) -> Row:
    row = await context.found(PRODUCT, sku)
    if row is None:
        raise await context.absent(caller, "inventory", "product")
    return row


async def _shown(context: ApiContext, row: Row, caller: Principal) -> Response:
    today = context.today().isoformat()
    expiring = await context.reading.find(EXPIRING, row["sku"]) if row["source"] == "keys" else ()
    return answer(_rendered(row, sum(row["free"] for row in expiring if row["expires_on"] < today), caller))


@router.get("/{sku:path}", summary="Read a product", response_model=Product, responses=refusals(401, 404))
async def one(sku: PathId, context: Context, caller: Caller) -> Response:
    row = await _find(context, caller, sku)
    if caller.kind != "staff" and not row["on_sale"]:
        raise not_found("product")
    return await _shown(context, row, caller)


@router.patch(
    "/{sku:path}",
    summary="Put a product on sale, or take it off",
    response_model=Product,
    responses=refusals(*DECIDED),
)
async def change(
    sku: PathId,
    body: SaleBody,
    context: Context,
    caller: Annotated[Principal, Depends(may(Permission.PRODUCT_CHANGE))],
    request: Request,
    key: IdempotencyKey = None,
) -> Response:
    await context.send(SetSale(sku=sku, on_sale=body.on_sale), caller, context.command_id(caller, request, key))
    return await _shown(context, await _find(context, caller, sku), caller)
