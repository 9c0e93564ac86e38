"""An event as the log holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from shared.contracts import ESSENTIAL, Event, Metadata, decode_event


@lru_cache(maxsize=1_000)
def name_of(type_: str) -> str:
    """An event's type without its version."""
    return type_.rpartition(".v")[0]


@dataclass(slots=True)
class RecordedEvent:
    """An event at its place in a log. `data` and `meta_json` are JSON text, parsed when first asked for.

    `position` counts from 1 in the log of `source`, `version` from 1 in its stream; `at` is UTC; `name` is the type
    without its version; `hash` is the chain's up to this event, empty when it was not read.
    """

    source: str
    position: int
    stream: str
    version: int
    id: str
    type: str
    data: str
    meta_json: str
    at: datetime
    name: str = field(init=False, repr=False, compare=False)
    _event: Event | None = field(default=None, repr=False, compare=False)
    _meta: Metadata | None = field(default=None, repr=False, compare=False)
    hash: bytes = field(default=b"", repr=False, compare=False)

    def __post_init__(self) -> None:
        self.name = name_of(self.type)

    @property
    def event(self) -> Event:
        """The typed event, lifted to the current version. Raises UnknownMessage for one this code does not know."""
        if self._event is None:
            self._event = decode_event(self.type, self.data)
        return self._event

    @property
    def is_essential(self) -> bool:
        """Whether a reader that does not know its type must stop at it."""
        return ESSENTIAL in self.meta_json

    @property
    def meta(self) -> Metadata:
        if self._meta is None:
            self._meta = Metadata.model_validate_json(self.meta_json)
        return self._meta
