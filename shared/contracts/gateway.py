"""Who may use the gateway, what was imported through it, and who is told of events by webhook.

Credentials live in the gateway's database, and signing secrets are derived from the secrets' folder: never here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Event, Id, Text, Value

Role = Literal["operations", "support", "finance", "subscriber", "administrator"]
WebhookUrl = Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")]
WebhookFilter = Annotated[
    tuple[Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z.*]+$")], ...], Field(min_length=1, max_length=50)
]
WebhookEnd = Literal["asked", "failing", "gone"]
Shown = Literal["keys", "numbers"]
PartnerKind = Literal["channel", "supplier"]


def _is_empty(value: object) -> bool:
    return value == ""


class AddStaff(Command, key="username"):
    """`password_proof` is a keyed hash of the password: the same command has the same password. No event holds it."""

    username: Id
    role: Role
    password_proof: Annotated[str, Field(max_length=64)] = Field(default="", exclude_if=_is_empty)


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
    rows: int = 0
    rejected: int = 0
    broken: Id | None = None
    last_row: int | None = None


class RecordOpening(Command, key="order_id"):
    """Somebody read an order's deliveries: its `keys`, or their `numbers` only."""

    order_id: Id
    shown: Shown
    address: Text


class Scrap(Value):
    """A member that could be read of a statement that could not, by its name, as short text."""

    name: Id
    text: Annotated[str, Field(max_length=100)]


Scraps = Annotated[tuple[Scrap, ...], Field(max_length=20)]
Faults = Annotated[tuple[Text, ...], Field(max_length=20)]


class RecordUnread(Command, key="statement_id"):
    """A partner told something, signed, that can't be read: what is wrong with it, and the scraps that can be read.

    The body itself is kept nowhere, for it may hold card keys. `statement_id` is a keyed hash of it.
    """

    statement_id: Id
    kind: PartnerKind
    partner: Id
    faults: Faults
    scraps: Scraps
    size: int


class SettleUnread(Command, key="statement_id"):
    """A person found out what a statement that can't be read was about, and saw to it: the note says how."""

    statement_id: Id
    note: Text


class DeliveriesOpened(Event, key="order_id"):
    """Somebody read an order's deliveries: its `keys`, or their `numbers` only. Reading again within a minute is the
    same opening."""

    order_id: Id
    shown: Shown
    address: Text
    by: Id
    at: At


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
    """A file of products or keys was imported; `fates` says how many of its `rows` ended how, and `rejected` how many
    did not come in. Where the file is `broken`, nothing after `last_row` could be read: the import is partial."""

    import_id: Id
    kind: Literal["products", "keys"]
    file_sha256: Id
    fates: dict[str, int]
    rows: int = 0
    rejected: int = 0
    broken: Id | None = None
    last_row: int | None = None


class StatementUnread(Event, key="statement_id"):
    """A payment channel or a supplier told something, signed, that can't be read: a person must find out what.

    The same body sent again is the same statement. `faults` say what is wrong, `scraps` what can be read of it.
    """

    statement_id: Id
    kind: PartnerKind
    partner: Id
    faults: Faults
    scraps: Scraps
    size: int


class UnreadSettled(Event, key="statement_id"):
    """A person saw to a statement that could not be read."""

    statement_id: Id
    kind: PartnerKind
    partner: Id
    note: Text


class RegisterWebhookEndpoint(Command, key="endpoint_id"):
    """Post the events that the filter lets through to a URL, signed.

    Each part of a filter is `<service>.<event>`, where `*` stands for any letters: `order.*`, `ledger.Payment*`, `*`.
    """

    endpoint_id: Id
    name: Text
    url: WebhookUrl
    events: WebhookFilter


class ChangeWebhookEndpoint(Command, key="endpoint_id"):
    """What is None stays as it is."""

    endpoint_id: Id
    name: Text | None = None
    url: WebhookUrl | None = None
    events: WebhookFilter | None = None


class RotateWebhookSecret(Command, key="endpoint_id"):
    """Sign with a new secret; for so long the former one signs as well."""

    endpoint_id: Id
    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)]


class EnableWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: Id


class DisableWebhookEndpoint(Command, key="endpoint_id"):
    """`asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410."""

    endpoint_id: Id
    reason: WebhookEnd


class RemoveWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: Id


class WebhookEndpointRegistered(Event, key="endpoint_id"):
    """It is enabled, with the secret of generation 1. `sources` are the services whose logs the filter concerns."""

    endpoint_id: Id
    name: Text
    url: WebhookUrl
    events: WebhookFilter
    sources: tuple[Id, ...]


class WebhookEndpointChanged(Event, key="endpoint_id"):
    """How it is from now on."""

    endpoint_id: Id
    name: Text
    url: WebhookUrl
    events: WebhookFilter
    sources: tuple[Id, ...]


class WebhookSecretRotated(Event, key="endpoint_id"):
    """The secret of this generation signs from now on, that of the generation before beside it until `former_until`."""

    endpoint_id: Id
    generation: int
    former_until: At


class WebhookEndpointEnabled(Event, key="endpoint_id"):
    """Events are posted again, from where it stopped."""

    endpoint_id: Id


class WebhookEndpointDisabled(Event, key="endpoint_id"):
    """Nothing is posted any more; it takes up where it stopped when it is enabled again."""

    endpoint_id: Id
    name: Text
    reason: WebhookEnd


class WebhookEndpointRemoved(Event, key="endpoint_id"):
    """Nothing is posted any more, and its secrets sign nothing."""

    endpoint_id: Id
