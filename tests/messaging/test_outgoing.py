"""How an event looks to the outside, by broker and by webhook."""

from __future__ import annotations

import json
from typing import Any

from cloudevents.core.bindings.rabbitmq import RabbitMQMessage, from_rabbitmq_event
from cloudevents.core.formats.json import JSONFormat

from shared.contracts.order import OrderPlaced
from shared.messaging.outgoing import outgoing, structured
from tests.gateway.builders import Logs, placed

RECORDED = Logs().record(placed("o1"))


def test_a_webhook_and_the_broker_carry_the_same_event() -> None:
    message = outgoing(RECORDED)
    headers: Any = message.properties.headers
    told = RabbitMQMessage(dict(headers), str(message.properties.content_type), message.body)
    by_broker, by_webhook = from_rabbitmq_event(told), JSONFormat().read(None, structured(RECORDED))

    assert by_webhook.get_attributes() == by_broker.get_attributes()
    assert OrderPlaced.model_validate(by_webhook.get_data()) == placed("o1")
    assert by_broker.get_data() in (by_webhook.get_data(), json.dumps(by_webhook.get_data()), RECORDED.data)


def test_a_webhook_carries_one_json_object() -> None:
    told = json.loads(structured(RECORDED))
    assert (told["type"], told["source"], told["subject"]) == (
        "kameng.order.OrderPlaced.v1",
        "/kameng/order",
        "order-o1",
    )
    assert (told["data"]["order_id"], told["partitionkey"]) == ("o1", "o1")
