"""Staff and customers, from the gateway's own log."""

from __future__ import annotations

import sqlalchemy as sa

from services.gateway.resource_projection import OpenRows, ResourceProjection, folds, iso, metadata
from shared.contracts.gateway import (
    CustomerRegistered,
    SignedIn,
    SignInRefused,
    StaffAdded,
    StaffRemoved,
)
from shared.eventstore.recorded import RecordedEvent

staff = sa.Table(
    "staff",
    metadata,
    sa.Column("username", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("added_at", sa.Text, nullable=False),
    sa.Column("signed_in_at", sa.Text),
    sa.Column("refused_at", sa.Text),
)

customers = sa.Table(
    "customers",
    metadata,
    sa.Column("customer", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("registered_at", sa.Text, nullable=False),
)


class People(ResourceProjection):
    """One row for each member of staff and each customer. Removed staff have no row."""

    def __init__(self, rows: OpenRows) -> None:
        self._staff, self._customers = rows(staff), rows(customers)

    def administrators_besides(self, username: str) -> int:
        """The number of administrators other than this one."""
        others = sa.select(staff.c.username).where(staff.c.role == "administrator", staff.c.username != username)
        return len(list(self._staff.select(others)))

    @folds(StaffAdded)
    def staff_added(self, event: StaffAdded, recorded: RecordedEvent) -> None:
        self._staff.put({"username": event.username, "role": event.role, "added_at": iso(recorded.at)})

    @folds(StaffRemoved)
    def staff_removed(self, event: StaffRemoved, recorded: RecordedEvent) -> None:
        self._staff.delete(event.username)

    @folds(SignedIn)
    def signed_in(self, event: SignedIn, recorded: RecordedEvent) -> None:
        self._staff.update(event.username, signed_in_at=iso(recorded.at))

    @folds(SignInRefused)
    def sign_in_refused(self, event: SignInRefused, recorded: RecordedEvent) -> None:
        self._staff.update(event.username, refused_at=iso(recorded.at))

    @folds(CustomerRegistered)
    def customer_registered(self, event: CustomerRegistered, recorded: RecordedEvent) -> None:
        self._customers.put(
            {
                "customer": event.customer,
                "name": event.name,
                "email": event.email,
                "registered_at": iso(recorded.at),
            }
        )
