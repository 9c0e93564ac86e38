"""Managing webhook endpoints over HTTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from services.gateway.webhooks import tables
from services.gateway.webhooks.delivery_store import DeliveryStore
from services.gateway.webhooks.signing import endpoint_secret
from services.gateway.webhooks.snapshot import Delivery
from shared.contracts.gateway import (
    ChangeWebhookEndpoint,
    DisableWebhookEndpoint,
    RegisterWebhookEndpoint,
    RotateWebhookSecret,
    StaffAdded,
    WebhookEndpointRegistered,
    WebhookEndpointRemoved,
)
from shared.eventstore import log, schema
from shared.eventstore.log import to_text
from shared.messages.messages import Reply
from tests.gateway.builders import NOW, Shop, open_shop

URL = "https://8.8.8.8/hooks"
REGISTERED = WebhookEndpointRegistered(
    endpoint_id="e1", name="shop", url=URL, events=("gateway.*",), sources=("gateway",)
)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    with shop.backend.reads.begin() as connection:
        log.create(connection, ["order"])
    return shop


def ask(shop: Shop, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
    return shop.client.request(method, f"/v1/webhooks{path}", json=body, headers=shop.staff("administrator"), **more)


def rows(shop: Shop, table: sa.Table) -> list[dict[str, Any]]:
    with shop.backend.reads.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def is_at(shop: Shop, position: int) -> None:
    """The gateway's log reaches so far."""
    with shop.backend.reads.begin() as connection:
        connection.execute(sa.update(schema.head).values(position=position))


def test_registering_shows_the_secret_once(shop: Shop) -> None:
    shop.backend.then[RegisterWebhookEndpoint] = lambda command: [
        WebhookEndpointRegistered(
            endpoint_id=command.endpoint_id, name="", url=command.url, events=command.events, sources=("order",)
        )
    ]
    answer = ask(shop, "POST", "", {"url": URL, "events": ["order.*"]})
    body = answer.json()
    assert answer.status_code == 201
    assert shop.backend.last == RegisterWebhookEndpoint(
        endpoint_id=body["endpoint_id"], name="", url=URL, events=("order.*",)
    )
    assert body["secret"] == endpoint_secret(shop.backend.secrets, body["endpoint_id"], 1)
    for path in ("", f"/{body['endpoint_id']}"):
        shown = ask(shop, "GET", path)
        assert (shown.status_code, URL in shown.text) == (200, True)
        assert body["secret"] not in shown.text
        assert "whsec_" not in shown.text


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data/", "https://[::ffff:127.0.0.1]/", "https://2130706433/",
        "https://user:pass@8.8.8.8/", "ftp://8.8.8.8/", "not a url",
    ],
)  # fmt: skip
def test_an_address_inside_is_refused(shop: Shop, url: str) -> None:
    shop.backend.happen(REGISTERED)
    sent = len(shop.backend.sent)
    for method, path, body in (("POST", "", {"url": url, "events": ["*"]}), ("PATCH", "/e1", {"url": url})):
        answer = ask(shop, method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "address-refused"), answer.text
    assert len(shop.backend.sent) == sent


@pytest.mark.parametrize(
    "body",
    [
        {"url": URL}, {"url": URL, "events": []}, {"url": URL, "events": ["order placed"]}, {"events": ["*"]},
        {"url": URL, "events": ["*"], "secret": "mine"}, {"url": URL, "events": "order.*"},
    ],
)  # fmt: skip
def test_a_malformed_registration_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    assert ask(shop, "POST", "", body).status_code == 422
    assert shop.backend.sent == []


def test_there_is_an_end_to_how_many(shop: Shop) -> None:
    many = [REGISTERED.model_copy(update={"endpoint_id": f"e{number}"}) for number in range(100)]
    shop.backend.happen(*many)
    answer = ask(shop, "POST", "", {"url": URL, "events": ["*"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-webhooks")
    shop.backend.happen(WebhookEndpointRemoved(endpoint_id="e7"))
    assert ask(shop, "POST", "", {"url": URL, "events": ["*"]}).status_code == 201


def test_a_change_names_only_what_changes(shop: Shop) -> None:
    ask(shop, "PATCH", "/e1", {"events": ["ledger.*"]})
    assert shop.backend.last == ChangeWebhookEndpoint(endpoint_id="e1", events=("ledger.*",))


def test_a_rotation_shows_the_new_secret(shop: Shop) -> None:
    shop.backend.answers[RotateWebhookSecret] = Reply("accepted", "gateway", 1, {"generation": 3})
    body = ask(shop, "POST", "/e1/secret", {}).json()
    assert shop.backend.last == RotateWebhookSecret(endpoint_id="e1", overlap_seconds=86_400)
    assert body["secret"] == endpoint_secret(shop.backend.secrets, "e1", 3)
    ask(shop, "POST", "/e1/secret", {"overlap_seconds": 0})
    assert shop.backend.last.overlap_seconds == 0


def test_staff_disable_it_with_a_reason_that_alarms_nobody(shop: Shop) -> None:
    shop.backend.happen(REGISTERED)
    assert ask(shop, "POST", "/e1/disable").status_code == 200
    assert shop.backend.last == DisableWebhookEndpoint(endpoint_id="e1", reason="asked")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/e1", None), ("POST", "/e1/disable", None), ("POST", "/e1/ping", None),
        ("POST", "/e1/redrive", {"failed": True}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_removed", [False, True])
def test_what_is_not_there_is_not_found(
    shop: Shop, method: str, path: str, body: dict[str, Any] | None, is_removed: bool
) -> None:
    if is_removed:
        shop.backend.happen(REGISTERED, WebhookEndpointRemoved(endpoint_id="e1"))
    assert ask(shop, method, path, body).status_code == 404
    assert ask(shop, "GET", "").json()["items"] == []
    assert shop.backend.sent == []


def attempt(number: int, **more: Any) -> dict[str, Any]:
    return {
        "attempt_id": f"a{number}",
        "endpoint_id": "e1",
        "event_id": f"event-{number}",
        "source": "order",
        "position": number,
        "type": "OrderPlaced.v1",
        "number": 1,
        "at": to_text(NOW + timedelta(seconds=number)),
        "outcome": "delivered",
        "milliseconds": 5,
        **more,
    }


def test_attempts_are_listed_the_newest_first_with_filters_and_pages(shop: Shop) -> None:
    made = [attempt(1), attempt(2, outcome="failed"), attempt(3), attempt(4, endpoint_id="e2"), attempt(5, type="T.v1")]
    with shop.backend.reads.begin() as connection:
        for one in made:
            connection.execute(sa.insert(tables.attempts).values(one))

    def listed(query: str) -> list[str]:
        return [one["attempt_id"] for one in ask(shop, "GET", f"/e1/attempts{query}").json()["items"]]

    assert listed("") == ["a5", "a3", "a2", "a1"]
    assert listed("?outcome=failed") == ["a2"]
    assert listed("?type=OrderPlaced.v1") == ["a3", "a2", "a1"]
    assert listed("?event_id=event-3") == ["a3"]
    first = ask(shop, "GET", "/e1/attempts?limit=3").json()
    assert [one["attempt_id"] for one in first["items"]] == ["a5", "a3", "a2"]
    assert listed(f"?limit=3&cursor={first['next']}") == ["a1"]


def test_a_ping_waits_for_the_dispatcher(shop: Shop) -> None:
    shop.backend.happen(REGISTERED)
    body = ask(shop, "POST", "/e1/ping").json()
    (waiting,) = rows(shop, tables.deliveries)
    assert (waiting["event_id"], waiting["source"], waiting["due_at"]) == (
        body["event_id"],
        "ping",
        to_text(shop.clock.now),
    )


def test_one_event_is_delivered_again(shop: Shop) -> None:
    shop.backend.happen(REGISTERED, StaffAdded(username="x", role="support"))
    event = {"source": "gateway", "position": 2}
    assert ask(shop, "POST", "/e1/redrive", {"event": event}).json() == {"event_id": "gateway-2"}
    (waiting,) = ask(shop, "GET", "/e1/deliveries?state=waiting").json()["items"]
    assert (waiting["event_id"], waiting["type"], waiting["tries"]) == ("gateway-2", "StaffAdded.v1", 0)
    beyond = ask(shop, "POST", "/e1/redrive", {"event": {"source": "gateway", "position": 9_999}})
    assert beyond.status_code == 404


def test_all_that_were_given_up_are_delivered_again(shop: Shop) -> None:
    shop.backend.happen(REGISTERED)
    store = DeliveryStore(shop.backend.reads, shop.backend.reads)
    for number in range(3):
        store.ask_again("e1", Delivery(f"event-{number}", "order", number, "T.v1"), NOW)
    with shop.backend.reads.begin() as connection:
        connection.execute(
            sa.update(tables.deliveries).where(tables.deliveries.c.position < 2).values(state="failed", tries=24)
        )
    assert len(ask(shop, "GET", "/e1/deliveries?state=failed").json()["items"]) == 2
    assert ask(shop, "GET", "/e1").json()["failed"] == 2
    assert ask(shop, "POST", "/e1/redrive", {"failed": True}).json() == {"events": 2}
    assert {(one["state"], one["tries"]) for one in rows(shop, tables.deliveries)} == {("waiting", 0)}


def test_a_log_is_sent_again_from_a_place_or_a_time_on(shop: Shop) -> None:
    shop.backend.happen(REGISTERED, *(StaffAdded(username=f"s{number}", role="support") for number in range(5)))
    is_at(shop, 6)
    place = {"from": {"source": "gateway", "position": 4}}
    assert ask(shop, "POST", "/e1/redrive", place).json() == {"from": {"gateway": 4}}
    assert [row["position"] for row in rows(shop, tables.cursors)] == [3]
    time = {"since": (NOW + timedelta(seconds=2)).isoformat()}
    assert ask(shop, "POST", "/e1/redrive", time).json() == {"from": {"gateway": 3}}
    assert [row["position"] for row in rows(shop, tables.cursors)] == [2]
    assert ask(shop, "GET", "/e1").json()["behind"] == {"gateway": 4}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"from": {"source": "order", "position": 1}}, "not-told-of"),
        ({"from": {"source": "gateway", "position": 3}}, "beyond-the-end"),
        ({}, "invalid"),
        ({"failed": True, "since": "2026-03-01T00:00:00Z"}, "invalid"),
        ({"failed": False}, "invalid"),
        ({"event": {"source": "nowhere", "position": 1}}, "invalid"),
        ({"event": {"source": "order", "position": 0}}, "invalid"),
    ],
)
def test_a_redrive_that_makes_no_sense_changes_nothing(shop: Shop, body: dict[str, Any], code: str) -> None:
    shop.backend.happen(REGISTERED)
    is_at(shop, 1)
    answer = ask(shop, "POST", "/e1/redrive", body)
    assert answer.status_code == 422
    assert code == "invalid" or answer.json()["code"] == code
    assert rows(shop, tables.cursors) == rows(shop, tables.deliveries) == []
