"""Who may use the gateway, what was imported through it, and who is told of events by webhook.

Credentials live in the gateway's database, and signing secrets are derived from the secrets' folder: never here.
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
    Doc("Where events are posted.", "https://example.com/kameng"),
]
WebhookFilter = Annotated[
    tuple[Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z.*]+$")], ...],
    Field(min_length=1, max_length=50),
    Doc("Which events: `<service>.<event>`, where `*` stands for any letters.", ["order.*"]),
]
WebhookEnd = Literal["asked", "failing", "gone"]
Shown = Literal["keys", "numbers"]
PartnerKind = Literal["channel", "supplier"]
Username = Annotated[Id, Doc("The member of staff, by the name to sign in with.", "li.wei")]
StatementId = Annotated[Id, Doc("The statement, by a keyed hash of its body.", "5f2c1e8d9b7a4c3e8f0012ab34cd56ef")]
Partner = Annotated[Id, Doc("The payment channel or supplier, by name.", "alpay")]
EndpointId = Annotated[Id, Doc("The webhook endpoint.", "0198c0de-0000-7000-8000-000000000001")]
EndpointName = Annotated[Text, Doc("What staff call it; may be empty.", "our ERP")]
Sources = Annotated[tuple[Id, ...], Doc("The services whose logs the filter concerns.", ["order"])]

# What a stream is called by, by the key of its events.
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
    """`password_proof` is a keyed hash of the password: the same command has the same password. No event holds it."""

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
    """Somebody signed in, or was refused."""

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
    """Somebody read an order's deliveries: its `keys`, or their `numbers` only."""

    order_id: OrderId
    shown: Shown
    address: Text


class Scrap(Value):
    """A member that could be read of a statement that could not, by its name, as short text."""

    name: Annotated[Id, Doc("The member.", "status")]
    text: Annotated[str, Field(max_length=100), Doc("Its value, as short text.", "refunded")]


Scraps = Annotated[tuple[Scrap, ...], Field(max_length=20)]
Faults = Annotated[tuple[Text, ...], Field(max_length=20)]


class RecordUnread(Command, key="statement_id"):
    """A partner told something, signed, that can't be read: what is wrong with it, and the scraps that can be read.

    The body itself is kept nowhere, for it may hold card keys. `statement_id` is a keyed hash of it.
    """

    statement_id: StatementId
    kind: PartnerKind
    partner: Partner
    faults: Faults
    scraps: Scraps
    size: int


class SettleUnread(Command, key="statement_id"):
    """A person found out what a statement that can't be read was about, and saw to it: the note says how."""

    statement_id: StatementId
    note: Note


class DeliveriesOpened(Event, key="order_id"):
    """Somebody read an order's deliveries: its `keys`, or their `numbers` only. Reading again within a minute is the
    same opening."""

    order_id: OrderId
    shown: Annotated[Shown, Doc("What was shown: the keys themselves, or their numbers.", "keys")]
    address: Annotated[Text, Doc("The address it was read from.", "203.0.113.7")]
    by: Annotated[Id, Doc("Who read it.", "customer:ann")]
    at: Annotated[At, Doc("When.", "2026-01-01T08:15:00Z")]


class StaffAdded(Event, key="username"):
    """Somebody may work here, in a role."""

    username: Username
    role: Annotated[Role, Doc("What they may do: permissions go by role.", "support")]


class StaffRemoved(Event, key="username"):
    """Somebody may not work here any more."""

    username: Username


class CustomerRegistered(Event, key="customer"):
    """A customer made an account."""

    customer: Annotated[Customer, Doc("The customer, by account.")]
    name: Annotated[Text, Doc("How to address the customer; may be empty.", "Ann")]
    email: Email


class SignedIn(Event, key="username"):
    """A member of staff signed in."""

    username: Username


class SignInRefused(Event, key="username"):
    """Somebody tried to sign in as a member of staff, and was refused."""

    username: Username


class ImportCompleted(Event, key="import_id"):
    """A file of products or keys was imported; `fates` says how many of its `rows` ended how, and `rejected` how many
    did not come in. Where the file is `broken`, nothing after `last_row` could be read: the import is partial."""

    import_id: Annotated[Id, Doc("The import.", "import-5")]
    kind: Annotated[Literal["products", "keys"], Doc("What the file held.", "keys")]
    file_sha256: Annotated[Id, Doc("SHA-256 of the file, in hexadecimal.", "9f86d081" * 8)]
    fates: Annotated[dict[str, int], Doc("How many rows ended how.", {"loaded": 500, "duplicate": 3})]
    rows: Annotated[int, Doc("How many rows were read; 0 in events that do not tell it.", 503)] = 0
    rejected: Annotated[int, Doc("How many rows did not come in: bad, expired, hidden, refused or unanswered.", 0)] = 0
    broken: Annotated[Id | None, Doc("Why the file could not be read to its end; null when it was.")] = None
    last_row: Annotated[
        int | None,
        Doc("The last row that was read of a broken file; null when it is not broken."),
    ] = None


class StatementUnread(Event, key="statement_id"):
    """A payment channel or a supplier told something, signed, that can't be read: a person must find out what.

    The same body sent again is the same statement. `faults` say what is wrong, `scraps` what can be read of it.
    """

    statement_id: StatementId
    kind: Annotated[PartnerKind, Doc("What the partner is.", "channel")]
    partner: Partner
    faults: Annotated[
        Faults, Doc("What is wrong with it: where, and why.", ["status: Input should be 'paid' or 'failed'"])
    ]
    scraps: Annotated[
        Scraps,
        Doc(
            "What can be read of it, of the members that say what it is about.",
            [{"name": "status", "text": "refunded"}],
        ),
    ]
    size: Annotated[int, Doc("The length of the body, in bytes.", 148)]


class UnreadSettled(Event, key="statement_id"):
    """A person saw to a statement that could not be read."""

    statement_id: StatementId
    kind: Annotated[PartnerKind, Doc("What the partner is.", "channel")]
    partner: Partner
    note: Note


class RegisterWebhookEndpoint(Command, key="endpoint_id"):
    """Post the events that the filter lets through to a URL, signed.

    Each part of a filter is `<service>.<event>`, where `*` stands for any letters: `order.*`, `ledger.Payment*`, `*`.
    """

    endpoint_id: EndpointId
    name: Text
    url: WebhookUrl
    events: WebhookFilter


class ChangeWebhookEndpoint(Command, key="endpoint_id"):
    """What is None stays as it is."""

    endpoint_id: EndpointId
    name: Text | None = None
    url: WebhookUrl | None = None
    events: WebhookFilter | None = None


class RotateWebhookSecret(Command, key="endpoint_id"):
    """Sign with a new secret; for so long the former one signs as well."""

    endpoint_id: EndpointId
    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=30 * 86_400)]


class EnableWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: EndpointId


class DisableWebhookEndpoint(Command, key="endpoint_id"):
    """`asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410."""

    endpoint_id: EndpointId
    reason: WebhookEnd


class RemoveWebhookEndpoint(Command, key="endpoint_id"):
    endpoint_id: EndpointId


class WebhookEndpointRegistered(Event, key="endpoint_id"):
    """It is enabled, with the secret of generation 1. `sources` are the services whose logs the filter concerns."""

    endpoint_id: EndpointId
    name: EndpointName
    url: WebhookUrl
    events: WebhookFilter
    sources: Sources


class WebhookEndpointChanged(Event, key="endpoint_id"):
    """How it is from now on."""

    endpoint_id: EndpointId
    name: EndpointName
    url: WebhookUrl
    events: WebhookFilter
    sources: Sources


class WebhookSecretRotated(Event, key="endpoint_id"):
    """The secret of this generation signs from now on, that of the generation before beside it until `former_until`."""

    endpoint_id: EndpointId
    generation: Annotated[int, Doc("Which secret signs, counted from 1.", 2)]
    former_until: Annotated[At, Doc("Until when the secret before signs as well.", "2026-01-02T08:00:00Z")]


class WebhookEndpointEnabled(Event, key="endpoint_id"):
    """Events are posted again, from where it stopped."""

    endpoint_id: EndpointId


class WebhookEndpointDisabled(Event, key="endpoint_id"):
    """Nothing is posted any more; it takes up where it stopped when it is enabled again."""

    endpoint_id: EndpointId
    name: EndpointName
    reason: Annotated[
        WebhookEnd,
        Doc("`asked` by staff; `failing` for days without any success; `gone`: the receiver answered 410.", "failing"),
    ]


class WebhookEndpointRemoved(Event, key="endpoint_id"):
    """Nothing is posted any more, and its secrets sign nothing."""

    endpoint_id: EndpointId
