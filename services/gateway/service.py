"""Declares the gateway."""

from __future__ import annotations

from pathlib import Path

from services.gateway.access.domain import (
    CustomerState,
    StaffState,
    decide_customer,
    decide_staff,
    evolve_customer,
    evolve_staff,
)
from services.gateway.callbacks.domain import StatementState, decide_statement, evolve_statement
from services.gateway.imports.domain import ImportState, decide_import, evolve_import
from services.gateway.kept import metadata
from services.gateway.metrics import gauges
from services.gateway.orders.domain import OpeningState, decide_opening, evolve_opening
from services.gateway.reactions import PLANS, REACTIONS
from services.gateway.read_models import FOREIGN_EVENTS, ReadModels
from services.gateway.settings import GatewaySettings
from services.gateway.webhooks.domain import EndpointState, decide_webhook_endpoint, evolve_webhook_endpoint
from shared.contracts.gateway import (
    AddStaff,
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RecordImport,
    RecordOpening,
    RecordSignIn,
    RecordUnread,
    RegisterCustomer,
    RegisterWebhookEndpoint,
    RemoveStaff,
    RemoveWebhookEndpoint,
    RotateWebhookSecret,
    SettleUnread,
)
from shared.runtime.service import Aggregate, ReadSide, Service


def count_other_administrators(
    command: RemoveStaff, state: StaffState, projection: ReadModels, adapters: object
) -> int:
    """The number of other administrators, including changes that this batch has decided before."""
    return projection.people.administrators_besides(command.username)


def count_waiting_statements(
    command: RecordUnread, state: StatementState, projection: ReadModels, adapters: object
) -> int:
    """The number of this partner's statements that wait for a person. It is not needed for a known statement."""
    return 0 if state.partner else projection.unread.waiting(command.kind, command.partner)


SERVICE = Service(
    name="gateway",
    aggregates=(
        Aggregate(
            name="staff",
            initial=StaffState,
            decide=decide_staff,
            evolve=evolve_staff,
            commands=(AddStaff, RemoveStaff, RecordSignIn),
            load_facts={RemoveStaff: count_other_administrators},
        ),
        Aggregate(
            name="opening",
            initial=OpeningState,
            decide=decide_opening,
            evolve=evolve_opening,
            commands=(RecordOpening,),
        ),
        Aggregate(
            name="statement",
            initial=StatementState,
            decide=decide_statement,
            evolve=evolve_statement,
            commands=(RecordUnread, SettleUnread),
            load_facts={RecordUnread: count_waiting_statements},
        ),
        Aggregate(
            name="customer",
            initial=CustomerState,
            decide=decide_customer,
            evolve=evolve_customer,
            commands=(RegisterCustomer,),
        ),
        Aggregate(
            name="import",
            initial=ImportState,
            decide=decide_import,
            evolve=evolve_import,
            commands=(RecordImport,),
        ),
        Aggregate(
            name="webhook-endpoint",
            initial=EndpointState,
            decide=decide_webhook_endpoint,
            evolve=evolve_webhook_endpoint,
            commands=(
                RegisterWebhookEndpoint,
                ChangeWebhookEndpoint,
                RotateWebhookSecret,
                EnableWebhookEndpoint,
                DisableWebhookEndpoint,
                RemoveWebhookEndpoint,
            ),
        ),
    ),
    projection=ReadModels,
    reactions=REACTIONS,
    plans=PLANS,
    foreign_events=FOREIGN_EVENTS,
    read_side=ReadSide(kept=metadata),
    gauges=gauges,
    settings=GatewaySettings,
    migrations=Path(__file__).with_name("migrations"),
)
