"""The gateway's declaration."""

from __future__ import annotations

from services.gateway.domain import (
    CustomerState,
    ImportState,
    StaffState,
    decide_customer,
    decide_import,
    decide_staff,
    evolve_customer,
    evolve_import,
    evolve_staff,
)
from services.gateway.figures import figures
from services.gateway.reactions import PLANS, REACTIONS
from services.gateway.tables import FOREIGN, ReadModels
from services.gateway.webhooks import tables as webhooks
from services.gateway.webhooks.domain import EndpointState, decide_endpoint, evolve_endpoint
from shared.contracts.gateway import (
    AddStaff,
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    RecordImport,
    RecordSignIn,
    RegisterCustomer,
    RegisterWebhookEndpoint,
    RemoveStaff,
    RemoveWebhookEndpoint,
    RotateWebhookSecret,
)
from shared.hosting.service import Aggregate, Service

SERVICE = Service(
    name="gateway",
    aggregates=(
        Aggregate(
            name="staff",
            initial=StaffState,
            decide=decide_staff,
            evolve=evolve_staff,
            commands=(AddStaff, RemoveStaff, RecordSignIn),
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
            decide=decide_endpoint,
            evolve=evolve_endpoint,
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
    tables=ReadModels,
    reactions=REACTIONS,
    plans=PLANS,
    projects=FOREIGN,
    is_queried=True,
    figures=figures,
    keeps=webhooks.metadata,
)
