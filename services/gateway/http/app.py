"""Creates the application of the HTTP API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from services.gateway.access.credentials import Credentials
from services.gateway.access.guessing import HOUR, Guessing
from services.gateway.access.places import Places, own_sites
from services.gateway.access.routes import router as people
from services.gateway.access.sessions import router as sessions
from services.gateway.access.throttle import Throttle
from services.gateway.callbacks.receiving import Partner
from services.gateway.callbacks.routes import router as unread
from services.gateway.deliveries.routes import router as deliveries
from services.gateway.feed.routes import router as feed
from services.gateway.health.routes import router as health
from services.gateway.home.routes import router as home
from services.gateway.http import problems
from services.gateway.http.answers import Documented
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import admit
from services.gateway.http.headers import SingleHeaders
from services.gateway.http.limits import BodyLimit
from services.gateway.http.logged import Logged
from services.gateway.http.metrics import Health, Measured, Requests
from services.gateway.imports.importing import Importing
from services.gateway.imports.routes import router as imports
from services.gateway.ledger.routes import router as ledger
from services.gateway.ledger.wallets import router as wallets
from services.gateway.notifications.routes import router as notifications
from services.gateway.orders.after_sale_routes import router as after_sale
from services.gateway.orders.long_poll import LongPoll
from services.gateway.orders.routes import router as orders
from services.gateway.payments.routes import router as payments
from services.gateway.products.routes import router as products
from services.gateway.risk.routes import router as risk
from services.gateway.settings import GatewaySettings
from services.gateway.suppliers.callbacks import router as supplier_callbacks
from services.gateway.suppliers.routes import router as suppliers
from services.gateway.unmatched.routes import router as unmatched
from services.gateway.webhooks.delivery_routes import router as webhook_deliveries
from services.gateway.webhooks.routes import router as webhooks
from services.gateway.webhooks.signing import SECRET as WEBHOOKS
from shared.readside.backend import Backend
from shared.readside.batched_query import QueryRunner
from shared.telemetry.process import Process

DESCRIPTION = """The back office of a digital-goods marketplace.

Every refusal and error is a problem document (RFC 9457) with a stable `code`. Amounts are integers in minor units (fen,
cents, whole yen). A read after a write sees the write. To continue a list, send its `next` as `cursor`. A request that
is repeated with the same `Idempotency-Key` is carried out once.
"""
TAGS = [
    {"name": "orders", "description": "Placing, following, cancelling, refunding and replacing."},
    {"name": "products", "description": "The catalogue and its stock."},
    {"name": "imports", "description": "Products and sealed keys from Excel and CSV files."},
    {"name": "deliveries", "description": "Deliveries that need a person, and statements of suppliers."},
    {"name": "money", "description": "Wallets, payments, accounts and entries."},
    {"name": "risk", "description": "Cases and lists."},
    {"name": "notifications", "description": "Messages to buyers and staff."},
    {"name": "events", "description": "Every log, from its first event."},
    {"name": "webhooks", "description": "Endpoints that events are posted to, signed."},
    {"name": "people", "description": "Customers, staff and signing in."},
    {"name": "health", "description": "Probes and metrics."},
]
ROUTERS = (
    home,
    orders,
    after_sale,
    products,
    imports,
    wallets,
    unmatched,
    unread,
    payments,
    supplier_callbacks,
    suppliers,
    ledger,
    risk,
    deliveries,
    notifications,
    feed,
    webhooks,
    webhook_deliveries,
    sessions,
    people,
    health,
)
HASHING, HASHING_WAITING, HASHING_EACH = 2, 40, 20
# Unknown callers wait apart from known ones. Few of one place may wait or work at a time.
STRANGERS, STRANGERS_WAITING, STRANGERS_EACH = 2, 20, 4
REGISTERING, REGISTERING_WAITING = 1, 20
PAGES_AT_ONCE = 4
WRONG_SECRETS, WRONG_SECRETS_OF_PLACE = 10, 300
WRONG_SIGNATURES = 60
SECRETS = ("tokens", "order-lookup", "blind-index", "fulfillment-sealing", WEBHOOKS)


def operation_id(route: APIRoute) -> str:
    """`get_v1_orders_order_id`: the name that generated clients have for a route depends on nothing but the route."""
    method = min(route.methods or ())
    return f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', route.path_format.lower()).strip('_')}"


def create_app(backend: Backend) -> FastAPI:
    """The HTTP API over a host's backend. The database need not exist yet."""
    now, reading, importing = backend.clock.now, QueryRunner(backend.reads), Importing()
    partners = [Partner("channel", name) for name in backend.settings.channels]
    partners += [Partner("supplier", name) for name in backend.settings.suppliers]
    for name in (*SECRETS, *(partner.secret for partner in partners)):  # made now, because the disk may be full later
        backend.secrets.get(name)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await importing.close()
        reading.close()

    app = Documented(
        title="Kameng",
        version=version("kameng"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    app.state.context = ApiContext(
        backend,
        reading,
        LongPoll(backend, reading),
        Credentials(backend.reads),
        Places(HASHING, HASHING_WAITING, HASHING_EACH),
        Places(STRANGERS, STRANGERS_WAITING, STRANGERS_EACH),
        Places(REGISTERING, REGISTERING_WAITING, REGISTERING_WAITING),
        CapacityLimiter(PAGES_AT_ONCE),
        Guessing(now, lambda: backend.secrets.get("tokens")),
        registered=Throttle(now, backend.settings.of(GatewaySettings).registrations_per_address, HOUR),
        all_registered=Throttle(now, backend.settings.of(GatewaySettings).registrations, HOUR),
        wrong_secrets=Throttle(now, WRONG_SECRETS),
        wrong_secrets_of_place=Throttle(now, WRONG_SECRETS_OF_PLACE),
        wrong_signatures=Throttle(now, WRONG_SIGNATURES),
        deposits=Throttle(now, backend.settings.of(GatewaySettings).deposits_per_customer, HOUR),
        is_own_site=own_sites(backend.settings.of(GatewaySettings).site_addresses),
    )
    app.state.importing = importing
    app.state.registry = CollectorRegistry()
    app.state.registry.register(Health(backend))
    app.state.registry.register(Process("gateway", "http"))
    app.add_middleware(BodyLimit, admit=admit)
    app.add_middleware(SingleHeaders)
    app.add_middleware(Measured, requests=Requests(app.state.registry))
    app.add_middleware(Logged)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
