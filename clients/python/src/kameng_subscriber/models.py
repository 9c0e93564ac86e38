"""What the generated models are made of."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """An immutable part of an event. Fields that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(Model):
    """What an event says. `event_type` is its CloudEvents type, as `kameng.order.OrderPlaced.v1`, `event_key` the field
    whose value events are ordered by, `known` every model by its type."""

    event_type: ClassVar[str]
    event_key: ClassVar[str]
    known: ClassVar[dict[str, type[EventData]]] = {}

    def __init_subclass__(cls, *, event_type: str, event_key: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.event_type, cls.event_key = event_type, event_key
        EventData.known[event_type] = cls
