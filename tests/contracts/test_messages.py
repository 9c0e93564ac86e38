"""Laws that every command and event keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.contracts import Message, decode_command, decode_event
from shared.contracts.base import At, Id
from shared.contracts.registry import commands, events
from tests.contracts.strategies import messages

OURS = "shared.contracts."
EVENTS = [cls for cls in events().values() if cls.__module__.startswith(OURS)]
COMMANDS = [cls for cls in commands().values() if cls.__module__.startswith(OURS)]
ALL: list[type[Message]] = [*COMMANDS, *EVENTS]
UNHURRIED = settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])


def test_every_name_is_one_message_only() -> None:
    names = [cls.__name__ for cls in ALL]
    assert len(names) == len(set(names)) > 100


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_the_key_is_a_required_field_and_the_owner_is_its_module(cls: type[Message]) -> None:
    field = cls.model_fields[cls.key]
    assert field.is_required()
    assert field.annotation is str
    assert cls.owner == cls.__module__.removeprefix(OURS)
    assert cls.type() == f"{cls.__name__}.v{cls.version}"


@pytest.mark.parametrize("cls", COMMANDS, ids=lambda cls: cls.__name__)
def test_incidental_fields_are_fields_and_never_the_key(cls: type) -> None:
    assert cls.incidental <= set(cls.model_fields) - {cls.key}


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
@given(data=st.data())
@UNHURRIED
def test_every_message_survives_its_journey_as_json(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    text = message.model_dump_json()
    decode = decode_event if cls in EVENTS else decode_command
    assert decode(message.type(), text) == message
    assert "\x1f" not in text
    assert "\x1f" not in message.partition_key()


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(UNHURRIED, max_examples=1)
def test_an_unknown_field_is_ignored_and_a_missing_key_is_not(cls: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    body = json.loads(message.model_dump_json())
    assert cls.model_validate(body | {"a_new_field": {"of": "tomorrow"}}) == message
    with pytest.raises(ValidationError):
        cls.model_validate({name: value for name, value in body.items() if name != cls.key})


@pytest.mark.parametrize("text", ["", " ", "a b", "-a", "a\n", "a\x1f", "卡", "a" * 81, "a\0"])
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Id).validate_python(text)


def test_times_need_a_zone_and_become_utc() -> None:
    times = TypeAdapter(At)
    assert times.validate_python("2026-01-01T08:00:00+08:00").isoformat() == "2026-01-01T00:00:00+00:00"
    with pytest.raises(ValidationError):
        times.validate_python("2026-01-01T08:00:00")
