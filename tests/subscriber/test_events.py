"""The events that a subscriber is given: all of ours, and those that it does not know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.generate import differing, generated
from kameng_subscriber import Unreadable, from_message, from_structured
from kameng_subscriber.events.order import OrderPlaced
from kameng_subscriber.models import EventData
from shared.broker.cloudevents import outgoing, structured
from shared.contracts.base import Event as Fact
from shared.contracts.gateway import StaffAdded
from shared.contracts.registry import events
from tests.contracts.strategies import messages
from tests.gateway.builders import placed
from tests.subscriber.builders import META, START, received, recorded

EXAMPLES = Path(__file__).parents[2] / "docs" / "events" / "examples"
OURS = [cls for cls in events().values() if cls.__module__.startswith("shared.contracts.")]
UNHURRIED = settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])


def headers(**changes: Any) -> dict[str, Any]:
    changed = {f"ce-{name}": value for name, value in changes.items()}
    return {**(outgoing(recorded(placed()))[0].properties.headers or {}), **changed}


BODY = placed().model_dump_json().encode()


def test_the_models_are_those_of_the_contracts() -> None:
    assert differing(generated()) == []


def test_a_contract_that_changed_shows_in_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.generate.FOLDER", tmp_path)
    for name, text in generated().items():
        (tmp_path / name).write_text(text)
    order = tmp_path / "order.py"
    order.write_text(order.read_text().replace("sales_channel: str", "channel: str"))
    (tmp_path / "gone.py").write_text("")
    assert differing(generated()) == ["gone.py", "order.py"]


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@UNHURRIED
def test_every_event_arrives_as_it_was_recorded(cls: type[Fact], data: st.DataObject) -> None:
    fact = data.draw(messages(cls))
    row = recorded(fact, 7)
    (message,) = (one for one in outgoing(row) if one.key.endswith(f".v{cls.version}"))

    live = from_message(message.properties.headers, message.body)
    replayed = from_structured(json.loads(structured(row)))

    assert live == replayed
    assert isinstance(live.data, EventData)
    assert type(live.data).__name__ == cls.__name__
    assert cls.model_validate(live.data.model_dump(mode="json")) == fact  # a field that is left out has its default
    assert getattr(live.data, live.data.event_key) == live.partition_key


def test_an_event_says_where_it_stands() -> None:
    event = received(placed(), 42)
    assert (event.source, event.sequence, event.key) == ("order", 42, "order.OrderPlaced.v1")
    assert (event.name, event.version, event.partition_key) == ("OrderPlaced", 1, "o1")
    assert (event.time - START).seconds == 42
    assert (event.correlation_id, event.causation_id) == (META.correlation_id, META.causation_id)
    match event.data:
        case OrderPlaced(order_id="o1", total=total):
            assert total.amount == 5_000
        case _:
            pytest.fail("the pattern of its type does not match")


def test_every_golden_example_is_read() -> None:
    paths = sorted(EXAMPLES.glob("*.json"))
    assert paths
    for path in paths:
        example = json.loads(path.read_text())
        event = from_message(example["headers"], json.dumps(example["body"]).encode())
        assert event.key == example["routing_key"]
        if not isinstance(event.data, EventData):
            assert event.has_twin  # a former version, beside the newest, which this one reads
            continue
        assert event.data.model_dump(mode="json", exclude_unset=True).items() <= example["body"].items()


# What it does not know


def test_a_type_that_is_not_known_is_given_as_it_is() -> None:
    event = from_message(headers(type="kameng.order.OrderFramed.v1"), b'{"order_id": "o1", "glass": true}')
    assert event.data == {"order_id": "o1", "glass": True}
    assert (event.name, event.source) == ("OrderFramed", "order")


def test_a_newer_version_is_given_as_it_is() -> None:
    event = from_message(headers(type="kameng.order.OrderPlaced.v9"), b'{"id": 1}')
    assert (event.name, event.version, event.data) == ("OrderPlaced", 9, {"id": 1})


def test_a_new_field_and_a_new_choice_do_no_harm() -> None:
    fact = StaffAdded(username="u", role="support").model_dump()
    (message,) = outgoing(recorded(StaffAdded(username="u", role="support")))
    event = from_message(message.properties.headers, json.dumps({**fact, "role": "gardener", "hat": "red"}).encode())
    assert isinstance(event.data, EventData)
    assert event.data.model_dump() == {"username": "u", "role": "gardener"}


def test_of_several_versions_the_known_one_is_taken() -> None:
    newer = from_message(headers(type="kameng.order.OrderPlaced.v2", versions="1 2"), b"{}")
    known = from_message(headers(versions="1 2"), BODY)
    alone = from_message(headers(type="kameng.order.OrderPlaced.v2", versions="2"), b"{}")
    assert (newer.has_twin, known.has_twin, alone.has_twin) == (True, False, False)


# What is none


@pytest.mark.parametrize(
    ("changes", "body", "said"),
    [
        ({"specversion": "0.3"}, BODY, "not a CloudEvent of version 1.0"),
        ({"id": ""}, BODY, "no id"),
        ({"source": "/other/order"}, BODY, "not of kameng"),
        ({"type": "kameng.ledger.FundsHeld.v1"}, BODY, "not of kameng"),
        ({"sequence": "x"}, BODY, "sequence or time"),
        ({"time": "noon"}, BODY, "sequence or time"),
        ({"subject": 5}, BODY, "no subject"),
        ({}, b"\xff", "not JSON"),
        ({}, b"[1]", "not a JSON object"),
        ({}, b'{"order_id": "s3cret-number"}', "kameng.order.OrderPlaced.v1 does not fit in"),
    ],
)
def test_what_is_no_event_is_refused_without_telling_what_it_held(changes: Any, body: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as refused:
        from_message(headers(**changes), body)
    assert "s3cret" not in str(refused.value)


def test_a_message_without_headers_is_refused() -> None:
    with pytest.raises(Unreadable):
        from_message(None, BODY)
