"""Staff, customers, imports, opened deliveries, unread statements of partners, and webhook endpoints.

No message holds a credential or a secret. Credentials are in the gateway's database; signing secrets are derived from
the folder of secrets.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import At, Command, Doc, Event, Id, Text, Value
from shared.contracts.fields import Customer, Email, Note, OrderId

Role = Literal["operations", "support", "finance", "subscriber", "administrator"]
WebhookUrl = Annotated[
    str,
    Field(max_length=500, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$"),
    Doc("The URL that events are posted to.", "https://example.com/kameng"),
]
WebhookFilter = Annotated[
    tuple[Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z.*]+$")], ...],
    Field(min_length=1, max_length=50),
    Doc("The events to post: `<service>.<event>`, where `*` stands for any letters.", ["order.*"]),
]
WebhookEnd = Literal["asked", "failing", "gone"]
Shown = Literal["keys", "numbers"]
PartnerKind = Literal["channel", "supplier"]
Username = Annotated[Id, Doc("The name that the member of staff signs in with.", "li.wei")]
StatementId = Annotated[Id, Doc("The statement's id: a keyed hash of its body.", "5f2c1e8d9b7a4c3e8f0012ab34cd56ef")]
Partner = Annotated[Id, Doc("The payment channel or supplier, by name.", "alpay")]
EndpointId = Annotated[Id, Doc("The webhook endpoint.", "0198c0de-0000-7000-8000-000000000001")]
EndpointName = Annotated[Text, Doc("The endpoint's name, for staff; may be empty.", "our ERP")]
Sources = Annotated[tuple[Id, ...], Doc("The services whose events the filter selects.", ["order"])]

# The type of aggregate that a stream is of, by the key of its events.
AGGREGATES = {
    "username": "staff",
    "customer": "customer",
    "import_id": "import",
    "order_id": "opening",
    "statement_id": "statement",
    "endpoint_id": "webhook-endpoint",
}


def _is_empty(value: object) -> bool:
    return value == ""


class AddStaff(Command, key="username"):
    """Add a member of staff. `password_proof` is a keyed hash of the password, so that a repeated command must have the
    same password. No event holds it."""

    username: Username
    role: Role
    password_proof: Annotated[str, Field(max_length=64)] = Field(default="", exclude_if=_is_empty)


class RemoveStaff(Command, key="username"):
    username: Username


class RegisterCustomer(Command, key="customer"):
    customer: Customer
    name: Text = ""
    email: Email = ""


class RecordSignIn(Command, key="username"):
    """Record that a member of staff signed in, or that a sign-in was refused."""

    username: Username
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
    """Record that a caller read an order's deliveries: the `keys`, or only their `numbers`."""

    order_id: OrderId
    shown: Shown
    address: Text


class Scrap(Value):
    """A JSON member that could be read, of a statement that could not."""

    name: Annotated[Id, Doc("The name of the member.", "status")]
    text: Annotated[str, Field(max_length=100), Doc("The value of the member, as short text.", "refunded")]


Scraps = Annotated[tuple[Scrap, ...], Field(max_length=20)]
Faults = Annotated[tuple[Text, ...], Field(max_length=20)]


class RecordUnread(Command, key="statement_id"):
    """Record a partner's signed statement that can't be read: what is wrong with it, and the members that can be read.

    The body is not stored, because it may hold card keys. `statement_id` is a keyed hash of it.
    """

    statement_id: StatementId
    kind: PartnerKind
    partner: Partner
    faults: Faults
    scraps: Scraps
    size: int


class SettleUnread(Command, key="statement_id"):
    """Record that a person settled a statement that could not be read. The note says how."""

    statement_id: StatementId
    note: Note


class DeliveriesOpened(Event, key="order_id"):
    """A caller read an order's deliveries: the `keys`, or only their `numbers`. A repetition by the same caller, from
    the same address and within a minute, is not recorded."""

    order_id: OrderId
    shown: Annotated[Shown, Doc("Whether the keys were shown, or only their numbers.", "keys")]
    address: Annotated[Text, Doc("The IP address of the caller.", "203.0.113.7")]
    by: Annotated[Id, Doc("The caller.", "customer:ann")]
    at: Annotated[At, Doc("When the deliveries were read.", "2026-01-01T08:15:00Z")]


class StaffAdded(Event, key="username"):
    """A member of staff was added, with a role."""

    username: Username
    role: Annotated[Role, Doc("The role, which decides the permissions.", "support")]


class StaffRemoved(Event, key="username"):
    """A member of staff was removed."""

    username: Username


class CustomerRegistered(Event, key="customer"):
    """A customer registered."""

    customer: Annotated[Customer, Doc("The customer, by account.")]
    name: Annotated[Text, Doc("The name to address the customer by; may be empty.", "Ann")]
    email: Email


class SignedIn(Event, key="username"):
    """A member of staff signed in."""

    username: Username


class SignInRefused(Event, key="username"):
    """A sign-in as this member of staff was refused."""

    username: Username


class ImportCompleted(Event, key="import_id"):
    """A file of products or keys was imported. `fates` counts its `rows` by result, and `rejected` counts those that
    were not imported. If the file is `broken`, nothing after `last_row` could be read: the import is partial."""

    import_id: Annotated[Id, Doc("The import.", "import-5")]
    kind: Annotated[Literal["products", "keys"], Doc("What the file holds.", "keys")]
    file_sha256: Annotated[Id, Doc("SHA-256 of the file, in hexadecimal.", "9f86d081" * 8)]
    fates: Annotated[dict[str, int], Doc("The number of rows by result.", {"loaded": 500, "duplicate": 3})]
    rows: Annotated[int, Doc("How many rows were read; 0 in older events, which lack it.", 503)] = 0
    rejected: Annotated[int, Doc("Rows that were not imported: bad, expired, hidden, refused or unanswered.", 0)] = 0
    broken: Annotated[Id | None, Doc("Why the file could not be read to its end; else null.")] = None
    last_row: Annotated[
        int | None,
        Doc("The last row that was read of a broken file; null for other files."),
    ] = None


class StatementUnread(Event, key="statement_id"):
    """A payment channel or a supplier sent a signed statement that can't be read. A person must find out what it means.

    The same body sent again is the same statement. `faults` say what is wrong; `scraps` are members that can be read.
    """

    statement_id: StatementId
    kind: Annotated[PartnerKind, Doc("Whether the partner is a payment channel or a supplier.", "channel")]
    partner: Partner
    faults: Annotated[Faults, Doc("What is wrong with it, and where.", ["status: Input should be 'paid' or 'failed'"])]
    scraps: Annotated[
        Scraps,
        Doc(
            "The members that can be read, of those that say what the statement is about.",
            [{"name": "status", "text": "refunded"}],
        ),
    ]
    size: Annotated[int, Doc("The length of the body, in bytes.", 148)]


class UnreadSettled(Event, key="statement_id"):
    """A person settled a statement that could not be read."""

    statement_id: StatementId
    kind: Annotated[PartnerKind, Doc("Whether the partner is a payment channel or a supplier.", "channel")]
    partner: Partner
    note: Note


class RegisterWebhookEndpoint(Command, key="endpoint_id"):
    """Register a URL. The events that match the filter are signed and posted to it.

    Each part of a filter is `<service>.<event>`, where `*` stands for any letters: `order.*`, `ledger.Payment*`, `*`.
    """

    endpoint_id: EndpointId
    name: Text
    url: WebhookUrl
    events: WebhookFilter


class ChangeWebhookEndpoint(Command, key="endpoint_id"):
    """Change an endpoint. A field that is None stays as it is."""

    endpoint_id: EndpointId
    name: Text | None = None
    url: WebhookUrl | None = None
    events: WebhookFilter | None = None


class RotateWebhookSecret(Command, key="endpoint_id"):
    """Sign with a new secret. The former secret signs as well for `overlap_seconds`."""

    endpoint_id: EndpointId
    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)]


class EnableWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: EndpointId


class DisableWebhookEndpoint(Command, key="endpoint_id"):
    """The reasons: `asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410."""

    endpoint_id: EndpointId
    reason: WebhookEnd


class RemoveWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: EndpointId


class WebhookEndpointRegistered(Event, key="endpoint_id"):
    """An endpoint was registered. It is enabled, and its secret has generation 1. `sources` are the services whose
    events the filter selects."""

    endpoint_id: EndpointId
    name: EndpointName
    url: WebhookUrl
    events: WebhookFilter
    sources: Sources


class WebhookEndpointChanged(Event, key="endpoint_id"):
    """An endpoint was changed. The event holds all its fields as they are now."""

    endpoint_id: EndpointId
    name: EndpointName
    url: WebhookUrl
    events: WebhookFilter
    sources: Sources


class WebhookSecretRotated(Event, key="endpoint_id"):
    """The secret of this generation signs from now on. The former secret signs as well until `former_until`."""

    endpoint_id: EndpointId
    generation: Annotated[int, Doc("The generation of the new secret, counted from 1.", 2)]
    former_until: Annotated[At, Doc("Until when the former secret signs as well.", "2026-01-02T08:00:00Z")]


class WebhookEndpointEnabled(Event, key="endpoint_id"):
    """An endpoint was enabled. Posting continues where it stopped."""

    endpoint_id: EndpointId


class WebhookEndpointDisabled(Event, key="endpoint_id"):
    """An endpoint was disabled. Nothing is posted to it until it is enabled again; then posting continues where it
    stopped."""

    endpoint_id: EndpointId
    name: EndpointName
    reason: Annotated[
        WebhookEnd,
        Doc("`asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410.", "failing"),
    ]


class WebhookEndpointRemoved(Event, key="endpoint_id"):
    """An endpoint was removed. Nothing is posted to it any more, and its secrets sign nothing."""

    endpoint_id: EndpointId
