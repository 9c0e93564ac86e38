"""Reads the meanings and examples of fields from the contracts."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.contracts.base import Doc


class Unsaid(ValueError):
    """A text that a document needs is missing: a docstring, or the meaning of a field."""


def where(cls: type) -> str:
    """The file of a contract."""
    return f"{cls.__module__.replace('.', '/')}.py"


def doc(cls: type[BaseModel], field: str) -> Doc:
    """The meaning and example of a field. Raises Unsaid."""
    found = [*_docs(cls.model_fields[field])]
    if not found:
        raise Unsaid(f'{cls.__name__}.{field} in {where(cls)} needs a meaning: Annotated[…, Doc("…", example)]')
    return Doc(found[0].meaning, next((one.example for one in found if one.example is not None), None))


def _docs(info: FieldInfo) -> Iterator[Doc]:
    """The field's Docs, the outermost first."""
    yield from (one for one in reversed(info.metadata) if isinstance(one, Doc))
    inner = optional(info.annotation)
    if get_origin(inner) is Annotated:
        yield from (one for one in reversed(get_args(inner)[1:]) if isinstance(one, Doc))


def optional(annotation: Any) -> Any:
    """The type without None, for an optional type; else None."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return None
    arms = [one for one in get_args(annotation) if one is not type(None)]
    return arms[0] if len(arms) == 1 else None


def parts(cls: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The nested models of a model, at any depth, by name. Raises ValueError for two of one name."""
    found: dict[str, type[BaseModel]] = {}
    for info in cls.model_fields.values():
        for part in _models(info.annotation):
            for name, one in ({part.__name__: part} | parts(part)).items():
                if found.setdefault(name, one) is not one:
                    raise ValueError(f"two parts of {cls.__name__} are called {name}")
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
