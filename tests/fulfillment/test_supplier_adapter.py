import json
import os
from collections.abc import Callable, Iterator

import httpx
import pytest

from sandboxes.running import run_server
from sandboxes.supplier import create_supplier
from services.fulfillment.adapters.goods import GoodsSealing
from services.fulfillment.adapters.supplier import NOT_CONFIGURED, OutcomeUnknown, Purchase, Supplier, Suppliers
from shared.contracts.fulfillment import RecordPurchase
from shared.security.sealing import Opener, keypair_from_secret
from tests.fulfillment.builders import COST, ID, NOW
from tests.waiting import PATIENCE

SECRET = b"s" * 32
STOCK = keypair_from_secret(b"f" * 32)
SEALING = GoodsSealing(STOCK.public, b"i" * 32, os.urandom)
REQUEST = f"{ID}#north"


def buying(target: str = "", supplier: str = "north") -> Purchase:
    return Purchase(ID, supplier, f"{ID}#{supplier}", "sku-1", 1, target)


def supplier(client: httpx.Client, secret: bytes = SECRET) -> Supplier:
    return Supplier(
        "north", client, secret, "http://127.0.0.1:9/v1/suppliers/callbacks/north", lambda: NOW, SEALING.seal
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with run_server(create_supplier("north", SECRET, late_seconds=0.5, now=lambda: NOW), "north") as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        yield client


def account(client: httpx.Client, request_id: str) -> dict:
    return client.get("/purchases").json()[request_id]


def named(purchase: Purchase, delivery_id: str) -> Purchase:
    """The same purchase for another delivery, so that tests can share a sandbox."""
    return Purchase(delivery_id, purchase.supplier, f"{delivery_id}#north", "sku-1", 1, purchase.target)


def test_done_tells_reference_and_cost(client: httpx.Client) -> None:
    assert supplier(client).purchase(buying("ok:1"), 1) == RecordPurchase(
        delivery_id=ID, supplier="north", outcome="done", supplier_ref=f"ref-{REQUEST}", cost=COST
    )


def test_texts_that_it_delivers_are_sealed_at_once_and_known_again(client: httpx.Client) -> None:
    answer = supplier(client).purchase(named(buying(), "order-9/1"), 1)
    again = supplier(client).look_up("order-9/1#north")

    texts = account(client, "order-9/1#north")["report"]["goods"]
    opener = Opener(STOCK.private)
    assert [opener.open(one.box, "order-9/1#north") for one in answer.goods] == texts
    assert len(texts) == 1
    assert not any(text in answer.model_dump_json() for text in texts)
    assert again
    assert [one.index for one in again.goods] == [one.index for one in answer.goods]
    assert again.fingerprint() == answer.fingerprint()


def test_an_answer_that_can_t_be_read_tells_no_text() -> None:
    answer = {"request_id": REQUEST, "outcome": "failed", "goods": ["CARD-0001"]}

    with pytest.raises(OutcomeUnknown, match="goods are told of what is done") as failure:
        answering(lambda request: httpx.Response(200, json=answer)).purchase(buying(), 1)

    assert "CARD-0001" not in str(failure.value)


def test_after_a_time_out_it_looks_up_and_has_bought_once(client: httpx.Client, address: str) -> None:
    late = named(buying("late:1"), "order-2/1")
    hurry = httpx.Timeout(PATIENCE, read=0.2)
    with httpx.Client(base_url=address, timeout=hurry) as impatient, pytest.raises(httpx.ReadTimeout):
        supplier(impatient).purchase(late, 1)

    assert supplier(client).purchase(late, 2).outcome == "done"
    found = account(client, "order-2/1#north")
    assert (found["arrived"], found["bought"]) == (1, 1)


def test_a_second_attempt_buys_what_never_arrived(client: httpx.Client) -> None:
    fresh = named(buying(), "order-3/1")

    assert supplier(client).look_up("order-3/1#north") is None
    assert supplier(client).purchase(fresh, 2).outcome == "done"
    assert account(client, "order-3/1#north")["bought"] == 1


def test_pending_is_found_done_by_looking(client: httpx.Client) -> None:
    silent = named(buying("silent:1"), "order-4/1")

    assert supplier(client).purchase(silent, 1).outcome == "pending"
    reports = [supplier(client).look_up("order-4/1#north") for _ in range(2)]
    assert [report.outcome for report in reports if report] == ["pending", "done"]


@pytest.mark.parametrize(("target", "reason"), [("failing:1", "out of stock"), ("down:1", "not taken: HTTP 503")])
def test_what_was_certainly_not_bought_failed(client: httpx.Client, target: str, reason: str) -> None:
    report = supplier(client).purchase(named(buying(target), f"order-5/{len(reason)}"), 1)

    assert (report.outcome, report.reason) == ("failed", reason)


def test_a_supplier_that_does_not_trust_us_took_nothing(client: httpx.Client) -> None:
    report = supplier(client, b"t" * 32).purchase(named(buying(), "order-6/1"), 1)

    assert (report.outcome, report.reason) == ("failed", "not taken: HTTP 401")


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> Supplier:
    return supplier(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://north.invalid"))


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def test_an_unreachable_supplier_fails_at_first_and_is_unknown_later() -> None:
    assert answering(refuse).purchase(buying(), 1).outcome == "failed"
    with pytest.raises(httpx.ConnectError):
        answering(refuse).purchase(buying(), 2)


def test_a_503_after_an_earlier_try_is_no_certainty() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404 if request.method == "GET" else 503)

    with pytest.raises(Exception, match="HTTP 503"):
        answering(answer).purchase(buying(), 2)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "/elsewhere"}),
        httpx.Response(409),
        httpx.Response(200, text="<html>maintenance</html>"),
        httpx.Response(200, json={"request_id": "order-9/1#north", "outcome": "failed"}),
        httpx.Response(200, text=f'{{"request_id": "{REQUEST}", "outcome": "failed", "outcome": "done"}}'),
        httpx.Response(
            200, text=f'{{"request_id": "{REQUEST}", "outcome": "done", "cost": {{"amount": 9, "amount": 1}}}}'
        ),
    ],
    ids=["error", "redirect", "conflict", "not JSON", "another purchase", "two outcomes", "two costs"],
)
@pytest.mark.parametrize("attempt", [1, 2])
def test_an_odd_answer_is_no_outcome(answer: httpx.Response, attempt: int) -> None:
    with pytest.raises(OutcomeUnknown):
        answering(lambda request: answer).purchase(buying(), attempt)


def test_requests_carry_what_the_supplier_needs() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"request_id": REQUEST, "outcome": "pending"})

    answering(answer).purchase(buying("13800000000"), 1)
    answering(answer).look_up(REQUEST)

    assert json.loads(seen[0].content) == {
        "request_id": REQUEST, "sku": "sku-1", "quantity": 1, "target": "13800000000",
        "callback_url": "http://127.0.0.1:9/v1/suppliers/callbacks/north",
    }  # fmt: skip
    assert seen[1].url.raw_path == b"/purchases/order-1%2F1%23north"


def test_a_supplier_without_settings_sells_nothing() -> None:
    suppliers = Suppliers({})

    assert suppliers.purchase(buying(supplier="east"), 1).reason == NOT_CONFIGURED
    with pytest.raises(OutcomeUnknown, match="east is not configured: KAMENG_SUPPLIERS"):
        suppliers.purchase(buying(supplier="east"), 2)
    with pytest.raises(OutcomeUnknown, match="east is not configured: KAMENG_SUPPLIERS"):
        suppliers.look_up("east", f"{ID}#east")
