# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `gateway` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.models import EventData, Model

__all__ = [
    "CustomerRegistered",
    "DeliveriesOpened",
    "ImportCompleted",
    "PositionLost",
    "Scrap",
    "SignInRefused",
    "SignedIn",
    "StaffAdded",
    "StaffRemoved",
    "StatementUnread",
    "UnreadSettled",
    "WebhookEndpointChanged",
    "WebhookEndpointDisabled",
    "WebhookEndpointEnabled",
    "WebhookEndpointRegistered",
    "WebhookEndpointRemoved",
    "WebhookSecretRotated",
]


class CustomerRegistered(EventData, event_type="kameng.gateway.CustomerRegistered.v1", event_key="customer"):
    """A customer registered."""

    customer: str
    name: str
    email: str


class DeliveriesOpened(EventData, event_type="kameng.gateway.DeliveriesOpened.v1", event_key="order_id"):
    """A caller read an order's deliveries: the `keys`, or only their `numbers`. A repetition by the same caller, from
    the same address and within a minute, is not recorded."""

    order_id: str
    shown: Literal["keys", "numbers"] | str
    address: str
    by: str
    at: datetime


class ImportCompleted(EventData, event_type="kameng.gateway.ImportCompleted.v1", event_key="import_id"):
    """A file of products or keys was imported. `fates` counts its `rows` by result, and `rejected` counts those that
    were not imported. If the file is `broken`, nothing after `last_row` could be read: the import is partial."""

    import_id: str
    kind: Literal["products", "keys"] | str
    file_sha256: str
    fates: dict[str, int]
    rows: int = 0
    rejected: int = 0
    broken: str | None = None
    last_row: int | None = None


class SignInRefused(EventData, event_type="kameng.gateway.SignInRefused.v1", event_key="username"):
    """A sign-in as this member of staff was refused."""

    username: str


class SignedIn(EventData, event_type="kameng.gateway.SignedIn.v1", event_key="username"):
    """A member of staff signed in."""

    username: str


class StaffAdded(EventData, event_type="kameng.gateway.StaffAdded.v1", event_key="username"):
    """A member of staff was added, with a role."""

    username: str
    role: Literal["operations", "support", "finance", "subscriber", "administrator"] | str


class StaffRemoved(EventData, event_type="kameng.gateway.StaffRemoved.v1", event_key="username"):
    """A member of staff was removed."""

    username: str


class Scrap(Model):
    """A JSON member that could be read, of a statement that could not."""

    name: str
    text: str


class StatementUnread(EventData, event_type="kameng.gateway.StatementUnread.v1", event_key="statement_id"):
    """A payment channel or a supplier sent a signed statement that can't be read. A person must find out what it means.

    The same body sent again is the same statement. `faults` say what is wrong; `scraps` are members that can be read.
    """

    statement_id: str
    kind: Literal["channel", "supplier"] | str
    partner: str
    faults: tuple[str, ...]
    scraps: tuple[Scrap, ...]
    size: int


class UnreadSettled(EventData, event_type="kameng.gateway.UnreadSettled.v1", event_key="statement_id"):
    """A person settled a statement that could not be read."""

    statement_id: str
    kind: Literal["channel", "supplier"] | str
    partner: str
    note: str


class WebhookEndpointChanged(EventData, event_type="kameng.gateway.WebhookEndpointChanged.v1", event_key="endpoint_id"):
    """An endpoint was changed. The event holds all its fields as they are now."""

    endpoint_id: str
    name: str
    url: str
    events: tuple[str, ...]
    sources: tuple[str, ...]


class WebhookEndpointDisabled(
    EventData, event_type="kameng.gateway.WebhookEndpointDisabled.v1", event_key="endpoint_id"
):
    """An endpoint was disabled. Nothing is posted to it until it is enabled again; then posting continues where it
    stopped."""

    endpoint_id: str
    name: str
    reason: Literal["asked", "failing", "gone"] | str


class WebhookEndpointEnabled(EventData, event_type="kameng.gateway.WebhookEndpointEnabled.v1", event_key="endpoint_id"):
    """An endpoint was enabled. Posting continues where it stopped."""

    endpoint_id: str


class WebhookEndpointRegistered(
    EventData, event_type="kameng.gateway.WebhookEndpointRegistered.v1", event_key="endpoint_id"
):
    """An endpoint was registered. It is enabled, and its secret has generation 1. `sources` are the services whose
    events the filter selects."""

    endpoint_id: str
    name: str
    url: str
    events: tuple[str, ...]
    sources: tuple[str, ...]


class WebhookEndpointRemoved(EventData, event_type="kameng.gateway.WebhookEndpointRemoved.v1", event_key="endpoint_id"):
    """An endpoint was removed. Nothing is posted to it any more, and its secrets sign nothing."""

    endpoint_id: str


class WebhookSecretRotated(EventData, event_type="kameng.gateway.WebhookSecretRotated.v1", event_key="endpoint_id"):
    """The secret of this generation signs from now on. The former secret signs as well until `former_until`."""

    endpoint_id: str
    generation: int
    former_until: datetime


class PositionLost(EventData, event_type="kameng.gateway.PositionLost.v1", event_key="log"):
    """The event at this position was lost with a database and can't be recovered. It changes no state.

    It takes up the position, so that no other event gets it. The log of the service `log` was restored from a backup up
    to position `kept`, whose event was recorded at `since`. Readers or subscribers knew events up to position `upto`.
    """

    log: str
    kept: int
    upto: int
    since: datetime
