"""Events as they are, and as somebody might change them; and what the check says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Annotated, Any, get_args

from pydantic import create_model

from shared.contracts import Message
from shared.contracts.base import Doc
from shared.published.event_versions import EventVersion
from shared.published.fields import doc
from shared.published.files import generated
from shared.published.review import Review, review, reviewed

TODAY = date(2026, 1, 1)


def altered(cls: type[Message], *, without: str = "", key: str = "", **fields: Any) -> type[Message]:
    """The class of an event as it would be with these fields, without another; the registry does not know it.

    A field that it has already means the same as before, unless a meaning is given.
    """
    kept = {name: (info.annotation, info) for name, info in cls.model_fields.items() if name != without}
    for name in fields.keys() & kept.keys():
        annotation, default = fields[name]
        is_said = any(isinstance(one, Doc) for one in get_args(annotation))
        fields[name] = (annotation if is_said else Annotated[annotation, doc(cls, name)], default)
    options: dict[str, Any] = {
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "__cls_kwargs__": {"key": key or cls.key, "version": cls.version},
    }
    make: Callable[..., type[Message]] = create_model
    return make(cls.__name__, __base__=Message, **options, **(kept | fields))


def files(*classes: type[Message]) -> dict[str, str]:
    """What is made of these events."""
    return generated(EventVersion(cls.__name__, cls) for cls in classes)


def compared(before: Iterable[type[Message]], after: Iterable[type[Message]]) -> Review:
    return reviewed(files(*before), [EventVersion(cls.__name__, cls) for cls in after], TODAY)[0]


def compared_files(before: Mapping[str, str], after: Mapping[str, str]) -> Review:
    return review(before, after, TODAY)
