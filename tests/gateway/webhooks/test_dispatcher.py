"""Deliveries to a real receiver, from a whole marketplace in one process whose clock can be set forward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook, WebhookVerificationError

from cli.__main__ import SERVICES
from services.gateway import metrics
from services.gateway.access.auth import Principal
from services.gateway.read_models import ReadModels
from services.gateway.webhooks.dispatcher import Dispatcher
from services.gateway.webhooks.health import DOWN_FROM
from services.gateway.webhooks.posting import Poster
from services.gateway.webhooks.running import in_thread, readings
from shared.contracts.gateway import AddStaff, RegisterCustomer
from shared.eventstore.engines import open_engine
from shared.projections.rebuild import verify
from shared.runtime.clock import Clock
from shared.runtime.embedded import database_url
from shared.runtime.settings import Settings
from tests.gateway.webhooks.receiver import ReceivedRequest, Receiver, receiving
from tests.platform.embedded import EmbeddedPlatform
from tests.waiting import wait_for

ADMIN = Principal("staff", "boss", "administrator")
DAYS = timedelta(days=3)


class Market:
    """Every service in one process, its API, and a receiver of webhooks. Each test has paths and names of its own."""

    def __init__(self, var: Path, receiver: Receiver) -> None:
        self.receiver, self.ahead, self._numbers = receiver, timedelta(), count(1)
        settings = Settings(var=var, webhook_private=True)
        self.platform = EmbeddedPlatform(settings, Clock(now=lambda: datetime.now(UTC) + self.ahead))
        self.engine = open_engine(database_url(var, "gateway"), writer=True)
        self.platform.send(AddStaff(username="boss", role="administrator"))

    def close(self) -> None:
        self.engine.dispose()
        self.platform.stop()

    def happen(self, *names: str) -> None:
        """Events of the gateway that name these."""
        for name in names:
            self.platform.send(RegisterCustomer(customer=name))

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.platform.ask(method, f"/v1/webhooks{path}", ADMIN, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def register(self, path: str, *events: str) -> tuple[str, str]:
        """The id and the secret of an endpoint at this path of the receiver."""
        body = {"url": self.receiver.url(path), "events": events or ("gateway.CustomerRegistered",)}
        answer = self.ask("POST", "", body)
        return answer["endpoint_id"], answer["secret"]

    def shown(self, endpoint: str) -> dict[str, Any]:
        return self.ask("GET", f"/{endpoint}")

    def attempts(self, endpoint: str, query: str = "") -> list[dict[str, Any]]:
        return self.ask("GET", f"/{endpoint}/attempts?limit=200{query}")["items"]

    def is_up_to_date(self, endpoint: str) -> bool:
        """Whether no event waits to be sent to it for the first time."""
        shown = self.shown(endpoint)
        return bool(shown["behind"]) and not any(shown["behind"].values())

    @contextmanager
    def dispatching(self, *, private: bool = True) -> Iterator[Dispatcher]:
        dispatcher = Dispatcher(self.platform.host, self.engine, lambda: Poster(private=private), look_seconds=0.05)
        with in_thread(dispatcher):
            yield dispatcher


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    with receiving() as receiver:
        market = Market(tmp_path_factory.mktemp("market"), receiver)
        yield market
        market.close()


@pytest.fixture
def dispatcher(market: Market) -> Iterator[Dispatcher]:
    with market.dispatching() as one:
        yield one


@pytest.fixture(autouse=True)
def alone(market: Market) -> Iterator[None]:
    """Each test removes its endpoints."""
    yield
    for one in market.ask("GET", "")["items"]:
        market.ask("DELETE", f"/{one['endpoint_id']}")


def test_events_arrive_in_order_signed_as_a_receiver_checks_it(market: Market, dispatcher: Dispatcher) -> None:
    _, secret = market.register("orderly")
    names = [f"orderly-{number}" for number in range(20)]
    market.happen(*names)
    wait_for(lambda: len(market.receiver.at("orderly")) == 20)

    assert market.receiver.keys("orderly") == names
    first = market.receiver.at("orderly")[0]
    event = first.verified(secret)
    assert first.headers["content-type"] == "application/cloudevents+json"
    assert event["type"] == "kameng.gateway.CustomerRegistered.v1"
    assert (event["source"], event["subject"], event["specversion"]) == ("/kameng/gateway", "customer-orderly-0", "1.0")
    assert (event["id"], event["data"]["customer"]) == (first.id, "orderly-0")
    assert len(event["sequence"]) == 20
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(first.body.replace(b"orderly-0", b"orderly-1"), first.headers)


def test_an_endpoint_does_not_get_what_was_recorded_before_it_was_registered(market: Market) -> None:
    market.happen("before-1")
    market.register("later")
    market.happen("after-1", "after-2")
    with market.dispatching():
        wait_for(lambda: len(market.receiver.at("later")) == 2)
    assert market.receiver.keys("later") == ["after-1", "after-2"]


def test_an_endpoint_gets_only_what_its_filter_lets_through(market: Market, dispatcher: Dispatcher) -> None:
    endpoint, _ = market.register("filtered", "gateway.Staff*", "notification.*")
    market.happen("filtered-1")
    market.platform.send(AddStaff(username="filtered-2", role="support"))
    wait_for(lambda: market.receiver.keys("filtered") and market.is_up_to_date(endpoint))
    assert market.receiver.keys("filtered") == ["filtered-2"]

    market.ask("PATCH", f"/{endpoint}", {"events": ["gateway.CustomerRegistered"]})
    market.happen("filtered-3")
    wait_for(lambda: len(market.receiver.at("filtered")) == 2)
    assert market.receiver.keys("filtered") == ["filtered-2", "filtered-3"]


def test_what_fails_is_tried_again_and_holds_up_nobody(market: Market, dispatcher: Dispatcher) -> None:
    tries = count(1)
    endpoint, secret = market.register("flaky")

    def answer(request: ReceivedRequest) -> int:
        return 500 if request.key == "flaky-1" and next(tries) <= 2 else 204

    market.receiver.answers["flaky"] = answer
    market.happen("flaky-1", "flaky-2", "flaky-3")
    wait_for(lambda: market.receiver.keys("flaky") == ["flaky-1", "flaky-2", "flaky-3"])
    market.ahead += timedelta(seconds=6)
    wait_for(lambda: market.receiver.keys("flaky")[3:] == ["flaky-1"])
    market.ahead += timedelta(seconds=31)
    wait_for(lambda: market.shown(endpoint)["waiting"] == 0 and len(market.receiver.at("flaky")) == 5)

    tried = [one for one in market.receiver.at("flaky") if one.key == "flaky-1"]
    assert len({one.id for one in tried}) == 1
    assert len({one.body for one in tried}) == 1
    assert all(one.verified(secret) for one in tried)
    attempts = market.attempts(endpoint, f"&event_id={tried[0].id}")
    assert [(one["number"], one["outcome"], one["status"]) for one in attempts] == [
        (3, "delivered", 204),
        (2, "failed", 500),
        (1, "failed", 500),
    ]
    assert attempts[-1]["answer"] == "as a test asked"
    assert "whsec_" not in str(attempts)


def test_a_slow_endpoint_holds_up_no_other(market: Market, dispatcher: Dispatcher) -> None:
    market.receiver.stuck.add("stuck")
    market.register("stuck")
    market.register("quick")
    market.happen(*(f"slow-{number}" for number in range(5)))
    wait_for(lambda: len(market.receiver.at("quick")) == 5)
    assert market.receiver.keys("stuck") == ["slow-0"]
    market.receiver.release.set()
    wait_for(lambda: len(market.receiver.at("stuck")) == 5)
    assert market.receiver.keys("stuck") == market.receiver.keys("quick")


def test_both_secrets_sign_after_a_rotation_then_only_the_new(market: Market, dispatcher: Dispatcher) -> None:
    endpoint, old = market.register("rotated")
    new = market.ask("POST", f"/{endpoint}/secret", {"overlap_seconds": 60})["secret"]
    market.happen("rotated-1")
    wait_for(lambda: len(market.receiver.at("rotated")) == 1)
    market.ahead += timedelta(seconds=61)
    market.happen("rotated-2")
    wait_for(lambda: len(market.receiver.at("rotated")) == 2)

    during, after = market.receiver.at("rotated")
    assert during.verified(old) == during.verified(new)
    assert after.verified(new)
    with pytest.raises(WebhookVerificationError):
        after.verified(old)


def test_redriven_events_come_under_the_same_ids(market: Market, dispatcher: Dispatcher) -> None:
    endpoint, _ = market.register("redriven")
    market.happen("redriven-1", "redriven-2", "redriven-3")
    wait_for(lambda: len(market.receiver.at("redriven")) == 3)
    second = next(one for one in market.attempts(endpoint) if one["event_id"] == market.receiver.at("redriven")[1].id)

    market.ask("POST", f"/{endpoint}/redrive", {"event": {"source": "gateway", "position": second["position"]}})
    wait_for(lambda: market.receiver.keys("redriven")[3:] == ["redriven-2"])
    market.ask("POST", f"/{endpoint}/redrive", {"from": {"source": "gateway", "position": second["position"]}})
    wait_for(lambda: market.receiver.keys("redriven")[4:] == ["redriven-2", "redriven-3"])
    assert len({one.id for one in market.receiver.at("redriven")}) == 3


def test_a_ping_reaches_a_disabled_endpoint(market: Market, dispatcher: Dispatcher) -> None:
    endpoint, secret = market.register("pinged")
    market.ask("POST", f"/{endpoint}/disable")
    event_id = market.ask("POST", f"/{endpoint}/ping")["event_id"]
    market.happen("pinged-1")
    wait_for(lambda: market.attempts(endpoint))
    (request,) = market.receiver.at("pinged")
    assert request.verified(secret)["type"] == "kameng.webhook.ping.v1"
    assert [(one["event_id"], one["outcome"]) for one in market.attempts(endpoint)] == [(event_id, "delivered")]

    market.ask("POST", f"/{endpoint}/enable")
    wait_for(lambda: len(market.receiver.at("pinged")) == 2)
    assert market.receiver.at("pinged")[1].key == "pinged-1"


def alerts(market: Market, endpoint: str) -> list[str]:
    statement = "SELECT template FROM messages WHERE message_id LIKE ?"
    with market.platform.reading("notification") as connection:
        return [row[0] for row in connection.exec_driver_sql(statement, (f"webhook-disabled/{endpoint}%",))]


def test_after_days_of_failure_it_is_disabled_and_staff_get_an_alert(market: Market, dispatcher: Dispatcher) -> None:
    market.receiver.answers["dead"] = lambda _: 503
    endpoint, _ = market.register("dead")
    market.happen(*(f"dead-{number}" for number in range(DOWN_FROM + 3)))
    wait_for(lambda: market.shown(endpoint)["failures_in_row"] == DOWN_FROM)
    assert len(market.receiver.at("dead")) == DOWN_FROM
    assert market.shown(endpoint)["behind"] == {"gateway": 3}

    market.ahead += DAYS
    wait_for(lambda: market.shown(endpoint)["status"] == "disabled")
    assert market.shown(endpoint)["reason"] == "failing"
    wait_for(lambda: alerts(market, endpoint))
    assert set(alerts(market, endpoint)) == {"webhook-disabled"}
    gauges = {one.metric: one for one in readings(dispatcher, market.platform.host.clock.now)}
    wait_for(lambda: gauges[metrics.WEBHOOK_DISABLED].read() == 1)

    market.receiver.answers.pop("dead")
    market.ask("POST", f"/{endpoint}/enable")
    wait_for(lambda: market.is_up_to_date(endpoint) and market.shown(endpoint)["waiting"] == 0)
    delivered = {one["event_id"] for one in market.attempts(endpoint, "&outcome=delivered")}
    assert len(delivered | {one["event_id"] for one in market.ask("GET", f"/{endpoint}/deliveries")["items"]}) == 8
    market.ask("POST", f"/{endpoint}/redrive", {"failed": True})
    wait_for(lambda: len({one["event_id"] for one in market.attempts(endpoint, "&outcome=delivered")}) == 8)


def test_a_receiver_that_says_it_is_gone_is_believed(market: Market, dispatcher: Dispatcher) -> None:
    market.receiver.answers["gone"] = lambda _: 410
    endpoint, _ = market.register("gone")
    market.happen("gone-1")
    wait_for(lambda: market.shown(endpoint)["status"] == "disabled")
    assert market.shown(endpoint)["reason"] == "gone"
    wait_for(lambda: alerts(market, endpoint))


def test_an_endpoint_that_was_registered_before_is_refused_at_the_connection(market: Market) -> None:
    endpoint, _ = market.register("inside")
    market.happen("inside-1")
    with market.dispatching(private=False):
        wait_for(lambda: market.attempts(endpoint))
    assert {one["error"] for one in market.attempts(endpoint)} == {"address-refused"}
    assert market.receiver.at("inside") == []


def test_a_restart_goes_on_where_it_stopped(market: Market) -> None:
    endpoint, _ = market.register("restarted")
    with market.dispatching():
        market.happen("restarted-1")
        wait_for(lambda: market.is_up_to_date(endpoint) and market.receiver.at("restarted"))
    market.happen("restarted-2")
    with market.dispatching():
        wait_for(lambda: len(market.receiver.at("restarted")) == 2)
        wait_for(lambda: market.is_up_to_date(endpoint))
    assert market.receiver.keys("restarted") == ["restarted-1", "restarted-2"]


def test_what_the_dispatcher_keeps_is_no_difference_to_verify(market: Market) -> None:
    foreign_events = frozenset(
        event.__name__ for service in SERVICES if service.name == "gateway" for event in service.foreign_events
    )
    verdict = verify(
        "gateway", ReadModels, foreign_events, {}, market.platform.host.reading, plans={}, now=datetime.now(UTC)
    )
    assert verdict.differences == ()


def test_no_secret_stands_in_any_database(market: Market) -> None:
    endpoint, secret = market.register("secretive")
    dumps = {name: dump(engine) for name, engine in market.platform.host.reading.items()}
    assert endpoint in dumps["gateway"]
    assert not any(secret.removeprefix("whsec_") in text for text in dumps.values())


def dump(engine: sa.Engine) -> str:
    """All that a database holds."""
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return "\n".join(str(row) for table in tables.sorted_tables for row in connection.execute(sa.select(table)))
