"""All read models of the gateway, as one projection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa

from services.gateway.access.projection import People
from services.gateway.callbacks.projection import UnreadStatements
from services.gateway.deliveries.projection import Deliveries
from services.gateway.imports.projection import Imports
from services.gateway.ledger.projection import Accounts
from services.gateway.notifications.projection import Messages
from services.gateway.orders.history import History
from services.gateway.orders.projection import Orders
from services.gateway.payments.projection import Payments
from services.gateway.products.projection import Products
from services.gateway.resource_projection import ResourceProjection, metadata
from services.gateway.risk.projection import Risk
from services.gateway.suppliers.projection import Reports, Statements
from services.gateway.unmatched.projection import Unmatched
from services.gateway.webhooks.projection import Webhooks
from shared.contracts import Command, Event
from shared.eventstore.recorded import RecordedEvent
from shared.projections.projection import Key, Projection, RowCache

RESOURCES: tuple[type[ResourceProjection], ...] = (
    Orders, History, Deliveries, Statements, Products, Payments, Unmatched, Accounts, Risk, Messages, People, Webhooks,
    UnreadStatements, Reports, Imports,
)  # fmt: skip
FOREIGN_EVENTS: tuple[type[Event], ...] = tuple(
    dict.fromkeys(event for resource in RESOURCES for event in resource.handlers if event.owner != "gateway")
)


class ReadModels(Projection):
    """All resource projections, in one database."""

    metadata: ClassVar[sa.MetaData] = metadata
    version = 5

    def __init__(self, connection: Callable[[], sa.Connection]) -> None:
        super().__init__(connection)
        self._handlers: dict[type[Event], list[Callable[[Event, RecordedEvent], None]]] = {}
        self._folding: dict[type[Event], list[ResourceProjection]] = {}
        self.people, self.unread = People(self.rows), UnreadStatements(self.rows)
        opened: dict[type[ResourceProjection], ResourceProjection] = {
            People: self.people,
            UnreadStatements: self.unread,
        }
        for kind in RESOURCES:
            resource = opened.get(kind) or kind(self.rows)
            for event, method in kind.handlers.items():
                self._handlers.setdefault(event, []).append(partial(method, resource))
                self._folding.setdefault(event, []).append(resource)

    def apply(self, event: Event, recorded: RecordedEvent) -> None:
        for handle in self._handlers.get(type(event), ()):
            handle(event, recorded)

    def reads(self, asked: Event | Command, state: Any = None) -> Iterator[tuple[RowCache, Key]]:
        for resource in self._folding.get(type(asked), ()) if isinstance(asked, Event) else ():
            yield from resource.reads(asked)
