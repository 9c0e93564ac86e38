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
from shared.contracts.gateway import AddStaff, RecordImport, RecordSignIn, RegisterCustomer, RemoveStaff
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
    ),
    tables=ReadModels,
    reactions=REACTIONS,
    plans=PLANS,
    projects=FOREIGN,
    is_queried=True,
    figures=figures,
)
