# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `gateway` tells."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from kameng_subscriber.models import EventData

__all__ = [
    "CustomerRegistered",
    "ImportCompleted",
    "SignInRefused",
    "SignedIn",
    "StaffAdded",
    "StaffRemoved",
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


class ImportCompleted(EventData, event_type="kameng.gateway.ImportCompleted.v1", event_key="import_id"):
    """A file of products or keys was read to its end; `fates` says how many rows ended how."""

    import_id: str
    kind: Literal["products", "keys"] | str
    file_sha256: str
    fates: dict[str, int]


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
