"""The base of commands and events, and what they share: money, time, metadata."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.values import currencies


@dataclass(frozen=True, slots=True, eq=False)
class Doc:
    """The meaning of a field, for readers of events, and an example value: JSON, or for money the minor units.

    It is part of the field's `Annotated`, or of that of a shared type; the outermost one counts. Without an example,
    the inner type's example is shown, or one that fits the type. It validates nothing.
    """

    meaning: str
    example: Any = None


# Examples. No key opens this box.
BOX = "k1.EXAMPLE" + "A" * 70
PUBLIC_KEY = "EXAMPLE" + "A" * 36
KEYED_HASH = "EXAMPLE" + "B" * 36

Id = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#@+-]*$")]
Text = Annotated[str, Field(max_length=500)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=10_000), Doc("How many pieces.", 2)]
At = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]

MAX_MINOR_UNITS = 10**15
ESSENTIAL = '"essential":true'  # this is in the JSON of an essential event's metadata


_set = object.__setattr__


def _is_none(value: object) -> bool:
    return value is None


def is_false(value: object) -> bool:
    """Exclude a field from the JSON when it is false."""
    return value is False


class Value(BaseModel):
    """An immutable part of a message. Unknown fields are ignored, so that an old reader survives a new field."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were added, subtracted or compared."""


class Money(Value):
    """An amount in integer minor units (fen, cents) of one ISO 4217 currency."""

    amount: Annotated[
        int, Field(strict=True, ge=-MAX_MINOR_UNITS, le=MAX_MINOR_UNITS), Doc("In minor units (fen, cents).", 9800)
    ]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$"), Doc("ISO 4217.", "CNY")] = "CNY"

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} met {other.currency}")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(amount=self.amount + other.amount, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(amount=self.amount - other.amount, currency=self.currency)

    def __neg__(self) -> Money:
        return Money(amount=-self.amount, currency=self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(amount=self.amount * times, currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def share(self, basis_points: int) -> Money:
        """A part of this amount, rounded down; 10,000 basis points are all of it."""
        return Money(amount=self.amount * basis_points // 10_000, currency=self.currency)

    def __str__(self) -> str:
        return currencies.shown(self.amount, self.currency)


@lru_cache(maxsize=1_000)
def zero(currency: str = "CNY") -> Money:
    """No money, in the given currency."""
    return Money(amount=0, currency=currency)


class Metadata(Value):
    """Who caused a message, on which site, and what it belongs to.

    `correlation_id` is shared by all messages of one flow; `causation_id` is the command or event that caused it;
    `actor` is `staff:<name>`, `customer:<id>`, `guest`, `channel:<name>`, `supplier:<name>` or `system:<service>`.
    `traceparent` is the span that caused the message, as in W3C Trace Context; without tracing, the JSON lacks it.
    `essential` is the event's flag; the JSON has it only when it is true.
    """

    site: Id = "main"
    correlation_id: Id
    causation_id: Id
    actor: Id = "system"
    traceparent: Annotated[str, Field(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")] | None = Field(
        default=None, exclude_if=_is_none
    )
    essential: bool = Field(default=False, exclude_if=is_false)

    def leading_on(self, causation_id: str, actor: str | None = None) -> Metadata:
        """The metadata of messages that the command or event with this id causes, by default with the same actor.

        The arguments are not validated: they come from a message, or name a service.
        """
        actor = actor or self.actor
        if (causation_id, actor, False) == (self.causation_id, self.actor, self.essential):
            return self
        # costs a fifth of validation; most messages need such metadata
        led = object.__new__(Metadata)
        _set(led, "__dict__", {**self.__dict__, "causation_id": causation_id, "actor": actor, "essential": False})
        _set(led, "__pydantic_fields_set__", self.__pydantic_fields_set__)
        _set(led, "__pydantic_extra__", None)
        _set(led, "__pydantic_private__", None)
        return led

    def of_essential(self) -> Metadata:
        """The same metadata, for an essential event."""
        return self.model_copy(update={"essential": True})


class Message(Value):
    """A command or an event: `owner` is the service whose log it concerns, `key` names its partition key field.

    By default the module's name is the owner. An event with an empty owner may be in any log.
    """

    owner: ClassVar[str]
    key: ClassVar[str]
    version: ClassVar[int] = 1

    def __init_subclass__(
        cls, *, key: str | None = None, version: int = 1, owner: str | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if key is not None:
            cls.key, cls.version = key, version
            cls.owner = cls.__module__.rpartition(".")[2] if owner is None else owner

    @classmethod
    def type(cls) -> str:
        """The name and version under which this message is sent and stored, such as `OrderPlaced.v1`."""
        return f"{cls.__name__}.v{cls.version}"

    def partition_key(self) -> str:
        """The value of the key field: what this message is ordered and partitioned by."""
        return str(getattr(self, self.key))


class Command(Message):
    """A request to do something, named in the imperative. It may be refused.

    `incidental` names the fields that may differ when the same command is sent again.
    """

    incidental: ClassVar[frozenset[str]] = frozenset()

    def fingerprint(self) -> str:
        """SHA-256 of the type and JSON without `incidental` fields: equal when the same command is sent again."""
        body = self.model_dump_json(exclude=set(self.incidental))
        return hashlib.sha256(f"{self.type()}{body}".encode()).hexdigest()


class Event(Message):
    """A fact, named in the past tense. It can't be undone, only followed by another event.

    `essential`: a reader that does not know this type stops before it until it is upgraded. Set it for a new type that
    a service must react to. Readers pass over other events whose type they do not know.
    """

    essential: ClassVar[bool] = False


class Former(Message):
    """An earlier version of the event `of`. Logs still hold it; decisions no longer make it.

    The class may have any name, such as `OrderPlacedV1`. An upcaster lifts it to the next version; a downcaster makes
    it while it is still published.
    """

    of: ClassVar[str]

    def __init_subclass__(cls, *, of: str, key: str, version: int, **kwargs: Any) -> None:
        super().__init_subclass__(key=key, version=version, **kwargs)
        cls.of = of

    @classmethod
    def type(cls) -> str:
        return f"{cls.of}.v{cls.version}"
