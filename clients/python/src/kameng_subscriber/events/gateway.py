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
    """A customer made an account."""

    customer: str
    name: str
    email: str


class DeliveriesOpened(EventData, event_type="kameng.gateway.DeliveriesOpened.v1", event_key="order_id"):
    """Somebody read an order's deliveries: its `keys`, or their `numbers` only. Reading again within a minute is the
    same opening."""

    order_id: str
    shown: Literal["keys", "numbers"] | str
    address: str
    by: str
    at: datetime


class ImportCompleted(EventData, event_type="kameng.gateway.ImportCompleted.v1", event_key="import_id"):
    """A file of products or keys was imported; `fates` says how many of its `rows` ended how, and `rejected` how many
    did not come in. Where the file is `broken`, nothing after `last_row` could be read: the import is partial."""

    import_id: str
    kind: Literal["products", "keys"] | str
    file_sha256: str
    fates: dict[str, int]
    rows: int = 0
    rejected: int = 0
    broken: str | None = None
    last_row: int | None = None


class SignInRefused(EventData, event_type="kameng.gateway.SignInRefused.v1", event_key="username"):
    """Somebody tried to sign in as a member of staff, and was refused."""

    username: str


class SignedIn(EventData, event_type="kameng.gateway.SignedIn.v1", event_key="username"):
    """A member of staff signed in."""

    username: str


class StaffAdded(EventData, event_type="kameng.gateway.StaffAdded.v1", event_key="username"):
    """Somebody may work here, in a role."""

    username: str
    role: Literal["operations", "support", "finance", "subscriber", "administrator"] | str


class StaffRemoved(EventData, event_type="kameng.gateway.StaffRemoved.v1", event_key="username"):
    """Somebody may not work here any more."""

    username: str


class Scrap(Model):
    """A member that could be read of a statement that could not, by its name, as short text."""

    name: str
    text: str


class StatementUnread(EventData, event_type="kameng.gateway.StatementUnread.v1", event_key="statement_id"):
    """A payment channel or a supplier told something, signed, that can't be read: a person must find out what.

    The same body sent again is the same statement. `faults` say what is wrong, `scraps` what can be read of it."""

    statement_id: str
    kind: Literal["channel", "supplier"] | str
    partner: str
    faults: tuple[str, ...]
    scraps: tuple[Scrap, ...]
    size: int


class UnreadSettled(EventData, event_type="kameng.gateway.UnreadSettled.v1", event_key="statement_id"):
    """A person saw to a statement that could not be read."""

    statement_id: str
    kind: Literal["channel", "supplier"] | str
    partner: str
    note: str


class WebhookEndpointChanged(EventData, event_type="kameng.gateway.WebhookEndpointChanged.v1", event_key="endpoint_id"):
    """How it is from now on."""

    endpoint_id: str
    name: str
    url: str
    events: tuple[str, ...]
    sources: tuple[str, ...]


class WebhookEndpointDisabled(
    EventData, event_type="kameng.gateway.WebhookEndpointDisabled.v1", event_key="endpoint_id"
):
    """Nothing is posted any more; it takes up where it stopped when it is enabled again."""

    endpoint_id: str
    name: str
    reason: Literal["asked", "failing", "gone"] | str


class WebhookEndpointEnabled(EventData, event_type="kameng.gateway.WebhookEndpointEnabled.v1", event_key="endpoint_id"):
    """Events are posted again, from where it stopped."""

    endpoint_id: str


class WebhookEndpointRegistered(
    EventData, event_type="kameng.gateway.WebhookEndpointRegistered.v1", event_key="endpoint_id"
):
    """It is enabled, with the secret of generation 1. `sources` are the services whose logs the filter concerns."""

    endpoint_id: str
    name: str
    url: str
    events: tuple[str, ...]
    sources: tuple[str, ...]


class WebhookEndpointRemoved(EventData, event_type="kameng.gateway.WebhookEndpointRemoved.v1", event_key="endpoint_id"):
    """Nothing is posted any more, and its secrets sign nothing."""

    endpoint_id: str


class WebhookSecretRotated(EventData, event_type="kameng.gateway.WebhookSecretRotated.v1", event_key="endpoint_id"):
    """The secret of this generation signs from now on, that of the generation before beside it until `former_until`."""

    endpoint_id: str
    generation: int
    former_until: datetime


class PositionLost(EventData, event_type="kameng.gateway.PositionLost.v1", event_key="log"):
    """What stood at this position was lost with a database, and nobody can know it any more. Nothing follows from it.

    It keeps the position from being given to another event: the log of the service `log` was restored up to `kept`,
    whose event is of the time `since`, and others had heard of events up to `upto`."""

    log: str
    kept: int
    upto: int
    since: datetime
