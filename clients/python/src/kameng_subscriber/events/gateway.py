# Generated from the contracts by `python -m clients.generate`. Not to be edited.

"""What `gateway` tells."""

from __future__ import annotations

from typing import Literal

from kameng_subscriber.models import EventData

__all__ = ["CustomerRegistered", "ImportCompleted", "SignInRefused", "SignedIn", "StaffAdded", "StaffRemoved"]


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
