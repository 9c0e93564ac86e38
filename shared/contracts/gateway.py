"""Who may use the gateway, and what was imported through it. Credentials live in the gateway's database, never here."""

from __future__ import annotations

from typing import Literal

from shared.contracts.base import Command, Event, Id, Text

Role = Literal["operations", "support", "finance", "subscriber", "administrator"]


class AddStaff(Command, key="username"):
    username: Id
    role: Role


class RemoveStaff(Command, key="username"):
    username: Id


class RegisterCustomer(Command, key="customer"):
    customer: Id
    name: Text = ""
    email: Text = ""


class RecordSignIn(Command, key="username"):
    """Somebody signed in, or was refused."""

    username: Id
    accepted: bool


class RecordImport(Command, key="import_id"):
    import_id: Id
    kind: Literal["products", "keys"]
    file_sha256: Id
    fates: dict[str, int]


class StaffAdded(Event, key="username"):
    """Somebody may work here, in a role."""

    username: Id
    role: Role


class StaffRemoved(Event, key="username"):
    """Somebody may not work here any more."""

    username: Id


class CustomerRegistered(Event, key="customer"):
    """A customer made an account."""

    customer: Id
    name: Text
    email: Text


class SignedIn(Event, key="username"):
    """A member of staff signed in."""

    username: Id


class SignInRefused(Event, key="username"):
    """Somebody tried to sign in as a member of staff, and was refused."""

    username: Id


class ImportCompleted(Event, key="import_id"):
    """A file of products or keys was read to its end; `fates` says how many rows ended how."""

    import_id: Id
    kind: Literal["products", "keys"]
    file_sha256: Id
    fates: dict[str, int]
