"""What is logged of requests, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from shared.contracts.order import CancelOrder
from shared.messages.messages import Reply
from shared.telemetry import logs
from tests.gateway.builders import Shop, open_shop, orders_follow, placed
from tests.telemetry.builders import TRACE, TRACEPARENT, facts, ids, kept

SECRET = "hunter2Zq9xW"
ORDER = {"wishes": [{"sku": "STEAM-50", "quantity": 1}], "email": "ann@example.org"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(logs, "_written_from", 10)
    shop = open_shop(tmp_path)
    orders_follow(shop)
    return shop


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


def test_a_request_that_changes_something_leads_to_its_order(shop: Shop, lines: list[Any]) -> None:
    headers = {**shop.customer(), "Idempotency-Key": "k1"}
    order_id = shop.client.post("/v1/orders", json=ORDER, headers=headers).json()["order_id"]

    (line,) = lines
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "request", "log_level": "info", "method": "POST", "route": "/v1/orders", "status": 201,
        "service": "gateway", "correlation_id": order_id, "order_id": order_id,
    }  # fmt: skip


def test_reads_are_logged_at_debug_and_probes_not_at_all(shop: Shop, lines: list[Any]) -> None:
    shop.backend.happen(placed("o1"))
    shop.client.get("/v1/orders/o1", headers=shop.customer())
    shop.client.get("/healthz")

    (line,) = lines
    assert (line["log_level"], line["route"], line["order_id"]) == ("debug", "/v1/orders/{order_id}", "o1")


def test_a_refusal_says_its_code(shop: Shop, lines: list[Any]) -> None:
    shop.backend.happen(placed("o1"))
    shop.backend.answers[CancelOrder] = Reply("refused", "order", 1, code="too-late", detail="it is over", status=409)
    shop.client.post("/v1/orders/o1/cancel", json={}, headers=shop.customer())

    (line,) = lines
    assert (line["log_level"], line["status"], line["code"], line["order_id"]) == ("info", 409, "too-late", "o1")


def test_one_request_says_nothing_of_another(shop: Shop, lines: list[Any]) -> None:
    shop.client.post("/v1/orders", json=ORDER, headers={**shop.customer(), "Idempotency-Key": "k1"})
    shop.client.post("/v1/nowhere")

    assert lines[-1].keys() & {"correlation_id", "order_id"} == set()
    assert (lines[-1]["route"], lines[-1]["status"]) == ("unmatched", 404)


def test_neither_query_nor_path_nor_body_nor_header_is_logged(shop: Shop, lines: list[Any]) -> None:
    headers = {"Order-Secret": SECRET, "Authorization": f"Bearer {SECRET}", "Idempotency-Key": SECRET}
    with kept() as spans:
        for path in (f"/v1/orders/{SECRET}/deliveries", f"/{SECRET}", f"/v1/orders?cursor={SECRET}", "/v1/orders"):
            shop.client.get(path, headers=headers)
            shop.client.post(path, headers=headers, json={"password": SECRET})
        shop.client.post("/v1/sessions", json={"username": SECRET, "password": SECRET})

    assert len(lines) >= 9
    assert SECRET not in str(lines)
    assert SECRET not in "".join(span.to_json() for span in spans)


def test_an_error_of_ours_is_a_warning_with_its_trace(
    shop: Shop, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> object:
        raise OperationalError(f"SELECT '{SECRET}'", {"p": SECRET}, Exception(SECRET), connection_invalidated=False)

    async def break_(*_: object) -> object:
        raise ZeroDivisionError(SECRET)

    for error, status in ((break_, 500), (fail, None)):
        lines.clear()
        monkeypatch.setattr(shop.backend, "send", error)
        with kept() as spans:
            headers = {**shop.customer(), "Idempotency-Key": "k1", "traceparent": TRACEPARENT}
            answer = shop.client.post("/v1/orders", json=ORDER, headers=headers)

        request = spans.named("POST /v1/orders")
        assert status in (None, answer.status_code)
        assert facts(request)["http.response.status_code"] == answer.status_code >= 500
        assert not request.status.is_ok
        assert {line["trace_id"] for line in lines} == {TRACE}
        assert {line["span_id"] for line in lines} == {ids(request)[1]}
        assert {line["log_level"] for line in lines} <= {"warning", "error"}
        assert SECRET not in str(lines) + "".join(span.to_json() for span in spans)
