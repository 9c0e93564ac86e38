"""Draws messages from their declarations."""

from __future__ import annotations

import types
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-3, minutes=-30))])


@cache
def messages(cls: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of a model, each field as its declaration allows."""
    fields = {name: _values(info.annotation, info.metadata) for name, info in cls.model_fields.items()}
    return st.builds(cls, **fields)


def _values(annotation: Any, metadata: Sequence[Any]) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        base, *more = arguments
        found = [part for one in more for part in (one.metadata if isinstance(one, FieldInfo) else [one])]
        return _values(base, [*found, *metadata])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([_values(argument, metadata) for argument in arguments])
    least, most = _bound(metadata, "min_length", 0), _bound(metadata, "max_length", 60)
    if origin is tuple:
        return st.lists(_values(arguments[0], []), min_size=least, max_size=min(most, least + 2)).map(tuple)
    if origin is dict:
        return st.dictionaries(_values(arguments[0], []), _values(arguments[1], []), max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return messages(annotation)
    return _plain(annotation, metadata, least, most)


def _plain(annotation: Any, metadata: Sequence[Any], least: int, most: int) -> st.SearchStrategy[Any]:
    if annotation is str:
        pattern = _bound(metadata, "pattern", None)
        if pattern:
            return st.from_regex(pattern, fullmatch=True).filter(lambda text: least <= len(text) <= most)
        return st.text(st.characters(codec="utf-8"), min_size=least, max_size=most)
    if annotation is int:
        return st.integers(_bound(metadata, "ge", -(10**12)), _bound(metadata, "le", 10**12))
    if annotation is float:
        return st.floats(0, 1, allow_nan=False)
    if annotation is bool:
        return st.booleans()
    if annotation is type(None):
        return st.none()
    if annotation is date:
        return st.dates()
    if annotation in (datetime, AwareDatetime):
        return st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=ZONES)  # noqa: DTZ001
    raise TypeError(f"no values are known for {annotation}")


def _bound(metadata: Sequence[Any], name: str, default: Any) -> Any:
    return next((value for one in reversed(metadata) if (value := getattr(one, name, None)) is not None), default)
