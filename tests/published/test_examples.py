"""The golden examples as they are stored: our own code reads them, and so does a subscriber."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cli.__main__ import SERVICES
from shared.contracts import decode_event
from shared.published.event_versions import event_versions
from shared.published.examples import aggregates
from shared.published.files import ASYNCAPI, EXAMPLES, HOME, SCHEMAS
from tests.contracts.strategies import messages
from tests.contracts.test_messages import UNHURRIED

KEYS = sorted(path.stem for path in (HOME / EXAMPLES).glob("*.json"))
SENT = [version for version in event_versions() if version.is_sent]


@cache
def read(path: str) -> dict[str, Any]:
    return json.loads((HOME / path).read_text(encoding="utf-8"))


def validator(key: str) -> Draft202012Validator:
    return Draft202012Validator(read(f"{SCHEMAS}/{key}.json"))


def test_there_is_one_of_each_event_in_each_version() -> None:
    assert sorted(version.key for version in event_versions()) == KEYS
    assert sorted(path.stem for path in (HOME / SCHEMAS).glob("*.json")) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_our_decoder_reads_an_example_and_writes_the_same(key: str) -> None:
    message = read(f"{EXAMPLES}/{key}.json")
    type_ = key.partition(".")[2]

    event = decode_event(type_, json.dumps(message["body"]))

    assert message["routing_key"] == key
    assert message["headers"]["ce-partitionkey"] == event.partition_key()
    if event.type() == type_:
        assert json.loads(event.model_dump_json()) == message["body"]
        assert set(message["body"]) == set(type(event).model_fields)


@pytest.mark.parametrize("key", KEYS)
def test_an_example_fits_its_schema(key: str) -> None:
    schema, body = read(f"{SCHEMAS}/{key}.json"), read(f"{EXAMPLES}/{key}.json")["body"]

    Draft202012Validator.check_schema(schema)
    assert list(validator(key).iter_errors(body)) == []
    assert not validator(key).is_valid({name: body[name] for name in body if name != schema["x-kameng-key"]})
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:kameng:event:{key}"
    assert schema["title"] == key.partition(".")[2]
    assert schema["description"]


@pytest.mark.parametrize("key", KEYS)
def test_the_cloudevents_sdk_reads_an_example(key: str) -> None:
    message = read(f"{EXAMPLES}/{key}.json")
    wire = json.dumps(message["body"]).encode()

    event = from_rabbitmq_event(RabbitMQMessage(dict(message["headers"]), message["content_type"], wire))

    assert event.get_type() == f"kameng.{key}"
    assert event.get_source() == f"/kameng/{key.partition('.')[0]}"
    assert event.get_data() == message["body"]
    extensions = ("partitionkey", "sequence", "correlationid", "causationid")
    assert [event.get_extension(name) for name in extensions] == [
        message["headers"][f"ce-{name}"] for name in extensions
    ]


@pytest.mark.parametrize("key", KEYS)
def test_the_headers_are_those_that_asyncapi_tells(key: str) -> None:
    headers = read(f"{EXAMPLES}/{key}.json")["headers"]
    schema = read(ASYNCAPI)["components"]["messageTraits"]["cloudEvent"]["headers"]

    assert list(Draft202012Validator(schema).iter_errors(headers)) == []
    assert headers.keys() <= schema["properties"].keys()


@pytest.mark.parametrize("version", SENT, ids=lambda version: version.key)
@given(data=st.data())
@settings(UNHURRIED, max_examples=2)
def test_whatever_an_event_may_hold_fits_its_schema(version: Any, data: st.DataObject) -> None:
    event = data.draw(messages(version.cls))

    assert list(validator(version.key).iter_errors(json.loads(event.model_dump_json()))) == []


def test_the_subject_begins_with_the_aggregate_that_the_service_declares() -> None:
    declared = {
        (service.name, command.key): aggregate.name
        for service in SERVICES
        for aggregate in service.aggregates
        for command in aggregate.commands
    }

    said = {
        (cls.owner, key): name
        for cls in (version.cls for version in event_versions() if not version.log)
        for key, name in aggregates(cls).items()
    }
    assert said == declared
    assert all(cls.key in aggregates(cls) for cls in (version.cls for version in event_versions()))
