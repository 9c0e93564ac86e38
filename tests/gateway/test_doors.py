"""Doors that take no token: nobody starves others, or locks them out, by using them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette import formparsers

from services.gateway.access.credentials import Credentials
from services.gateway.access.places import Places
from services.gateway.http.app import STRANGERS, STRANGERS_WAITING
from services.gateway.http.context import ApiContext
from services.gateway.http.limits import JSON_LIMIT
from services.gateway.http.problems import Problem
from services.gateway.orders.buyers import order_secret
from shared.contracts.gateway import CustomerRegistered, RegisterCustomer
from shared.contracts.ledger import RequestPayment
from shared.messages.messages import HALTED, NobodyDecides, Reply
from shared.readside.backend import Busy
from tests.gateway.builders import Client, Shop, app_of, customer_registered, open_shop, orders_follow, placed

ADMIN = {"kind": "staff", "login": "administrator-1", "password": "correct horse battery"}
WRONG = {**ADMIN, "password": "wrong"}
CALLERS = 64


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    shop.staff("administrator")
    shop.credentials.store("staff", ADMIN["login"], ADMIN["login"], ADMIN["password"])
    shop.backend.then[RegisterCustomer] = lambda c: [CustomerRegistered(customer=c.customer, name="", email="")]
    return shop


def reopened(shop: Shop, **settings: Any) -> Shop:
    """The same shop with other settings."""
    shop.backend.settings = shop.backend.settings.model_copy(update=settings)
    shop.client = Client(app_of(shop.backend))
    return shop


def sign_in(shop: Shop, address: str, credentials: dict[str, Any]) -> httpx.Response:
    shop.client.address = address
    return shop.client.post("/v1/sessions", json=credentials)


def register(shop: Shop, number: int, address: str = "192.0.2.7") -> int:
    shop.client.address = address
    return shop.client.post("/v1/customers", json={"login": f"buyer-{number}", "password": "long enough"}).status_code


def at_once(shop: Shop, path: str, bodies: list[dict[str, Any]]) -> Counter[int]:
    """The statuses of requests that are under way at the same time."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(shop.client.app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    return Counter(answer.status_code for answer in asyncio.run(ask()))


def test_wrong_tries_from_elsewhere_lock_nobody_out(shop: Shop) -> None:
    for number in range(30):
        sign_in(shop, f"198.51.100.{number}", WRONG)
    assert sign_in(shop, "192.0.2.1", ADMIN).status_code == 201


def test_guessing_from_many_places_is_bounded_and_a_known_place_gets_through(shop: Shop) -> None:
    assert sign_in(shop, "192.0.2.1", ADMIN).status_code == 201
    guesses = Counter(sign_in(shop, f"198.51.{number}.1", WRONG).status_code for number in range(110))
    assert guesses == {401: 100, 429: 10}
    assert sign_in(shop, "198.51.100.1", ADMIN).status_code == 429, "nobody can tell the owner from a guesser there"
    assert sign_in(shop, "192.0.2.1", ADMIN).status_code == 201
    shop.clock.now += timedelta(hours=1, seconds=1)
    assert sign_in(shop, "198.51.100.1", ADMIN).status_code == 201


def test_a_device_that_signed_in_gets_through_from_anywhere(shop: Shop) -> None:
    device = sign_in(shop, "192.0.2.1", ADMIN).json()["device"]
    for number in range(110):
        sign_in(shop, f"198.51.{number}.1", WRONG)
    assert sign_in(shop, "203.0.113.1", {**ADMIN, "device": device}).status_code == 201
    for forged in ("x", "x.y", device[:-2], f"{device}é"):
        assert sign_in(shop, "203.0.113.3", {**ADMIN, "device": forged}).status_code == 429
    other = {**WRONG, "login": "somebody-else", "device": device}
    assert Counter(sign_in(shop, "203.0.113.2", other).status_code for _ in range(11)) == {401: 10, 429: 1}


def test_a_device_does_not_guess_more_than_others(shop: Shop) -> None:
    device = sign_in(shop, "192.0.2.1", ADMIN).json()["device"]
    tries = [sign_in(shop, f"198.51.100.{number}", {**WRONG, "device": device}).status_code for number in range(12)]
    assert tries == [401] * 10 + [429] * 2


def test_one_place_does_not_go_through_many_logins(shop: Shop) -> None:
    tries = [sign_in(shop, "192.0.2.9", {**WRONG, "login": f"name-{number}"}).status_code for number in range(40)]
    assert Counter(tries) == {401: 30, 429: 10}


def test_addresses_of_one_network_are_one_place(shop: Shop) -> None:
    tries = [sign_in(shop, f"2001:db8:1:2::{number:x}", WRONG).status_code for number in range(1, 13)]
    assert tries == [401] * 10 + [429] * 2
    assert sign_in(shop, "2001:db8:1:3::1", ADMIN).status_code == 201


def test_tries_at_the_same_time_are_counted(shop: Shop) -> None:
    statuses = at_once(shop, "/v1/sessions", [WRONG] * CALLERS)
    assert 1 <= statuses[401] <= 10
    assert statuses[401] + statuses[429] + statuses[503] == CALLERS


def test_strangers_at_the_door_do_not_hold_up_those_whom_we_know(shop: Shop) -> None:
    device = sign_in(shop, "192.0.2.7", ADMIN).json()["device"]
    context: ApiContext = shop.client.app.state.context

    async def crowded() -> list[int]:
        over = asyncio.Event()

        async def stand(number: int) -> None:
            async with context.strangers.taken(str(number)):
                await over.wait()

        crowd = [asyncio.create_task(stand(number)) for number in range(STRANGERS + STRANGERS_WAITING)]
        await asyncio.sleep(0)
        transport = httpx.ASGITransport(shop.client.app, client=("203.0.113.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
            unknown = await client.post("/v1/sessions", json=ADMIN)
            known = await client.post("/v1/sessions", json={**ADMIN, "device": device})
        over.set()
        await asyncio.gather(*crowd)
        return [unknown.status_code, known.status_code]

    assert asyncio.run(crowded()) == [503, 201]


def test_of_one_place_few_are_at_it_at_a_time() -> None:
    async def crowded() -> None:
        places = Places(4, 0, 2)
        async with places.taken("here"), places.taken("here"), places.taken("there"):
            with pytest.raises(Problem, match="too many"):
                async with places.taken("here"):
                    pass
            async with places.taken("there"):
                pass
        async with places.taken("here"):
            pass

    asyncio.run(crowded())


def test_a_customer_opens_so_many_deposits_an_hour(shop: Shop) -> None:
    reopened(shop, deposits_per_customer=2)
    shop.backend.happen(customer_registered("c1"), customer_registered("c2"))
    body = {"amount": {"amount": 100, "currency": "CNY"}, "channel": "alipay"}

    def opened(customer: str) -> int:
        return shop.client.post(
            f"/v1/wallets/{customer}/deposits", json=body, headers=shop.customer(customer)
        ).status_code

    assert [opened("c1") for _ in range(3)] == [201, 201, 429]
    assert opened("c2") == 201
    shop.clock.now += timedelta(hours=1, seconds=1)
    assert opened("c1") == 201


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer x"}, 401)])
def test_who_may_not_import_is_refused_before_a_large_body_is_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", partial(_Counted, kept := list[int]()))
    large = {"file": ("keys.csv", b"x" * 4_000_000)}

    assert shop.client.post("/v1/imports/keys", files=large, headers=headers).status_code == status
    assert sum(kept) <= JSON_LIMIT
    assert shop.client.post("/v1/imports/keys", files=large, headers=shop.staff("operations")).status_code != status
    assert sum(kept) > JSON_LIMIT


class _Counted(SpooledTemporaryFile[bytes]):
    """A file of an upload that counts what is written to it."""

    def __init__(self, kept: list[int], **options: Any) -> None:
        super().__init__(**options)
        self._kept = kept

    def write(self, s: Any) -> int:
        self._kept.append(len(s))
        return super().write(s)


def test_registrations_are_bounded_by_place_and_in_all(shop: Shop) -> None:
    reopened(shop, registrations_per_address=3, registrations=5)
    assert [register(shop, number, f"2001:db8::{number + 1}") for number in range(4)] == [201, 201, 201, 429]
    assert [register(shop, 10 + number, f"192.0.2.{number}") for number in range(3)] == [201, 201, 429]
    shop.clock.now += timedelta(hours=1, seconds=1)
    assert register(shop, 20) == 201


def test_a_site_of_ours_registers_for_many(shop: Shop) -> None:
    reopened(shop, registrations_per_address=1, site_addresses="192.0.2.0/28")
    assert [register(shop, number, "192.0.2.7") for number in range(3)] == [201] * 3
    assert [register(shop, 10 + number, "192.0.2.77") for number in range(2)] == [201, 429]


def test_registrations_at_the_same_time_are_counted(shop: Shop) -> None:
    reopened(shop, registrations_per_address=5)
    bodies = [{"login": f"buyer-{number}", "password": "long enough"} for number in range(CALLERS)]
    assert at_once(shop, "/v1/customers", bodies) == {201: 5, 429: CALLERS - 5}


def test_who_finds_no_place_to_register_is_neither_registered_nor_counted(shop: Shop) -> None:
    reopened(shop, registrations_per_address=25, registrations=30)
    crowd = [{"login": f"buyer-{number}", "password": "long enough"} for number in range(64)]
    statuses = at_once(shop, "/v1/customers", crowd)
    assert statuses[201] < 25
    assert (statuses[503], statuses[201] + statuses[503]) == (64 - statuses[201], 64)
    assert len(shop.backend.sent) == statuses[201]

    left = 25 - statuses[201]
    assert [register(shop, 100 + number) for number in range(left + 1)] == [201] * left + [429]
    assert [register(shop, 200 + number, "198.51.100.1") for number in range(6)] == [201] * 5 + [429]


NO_DATABASE = OperationalError("INSERT", {}, Exception("database is locked"))


@pytest.mark.parametrize("answer", [Busy(), NO_DATABASE, Reply("failed", "gateway", 1, code=HALTED, status=503)])
def test_what_could_not_be_done_does_not_count(shop: Shop, answer: Exception | Reply) -> None:
    reopened(shop, registrations_per_address=2, registrations=2, deposits_per_customer=2)
    shop.backend.happen(customer_registered("c1"))
    body = {"amount": {"amount": 100, "currency": "CNY"}, "channel": "alipay"}

    def done() -> tuple[int, int]:
        paid = shop.client.post("/v1/wallets/c1/deposits", json=body, headers=shop.customer("c1"))
        return register(shop, len(shop.backend.sent)), paid.status_code

    shop.backend.answers = {RegisterCustomer: answer, RequestPayment: answer}
    assert [done() for _ in range(3)] == [(503, 503)] * 3
    shop.backend.answers = {}
    assert [done() for _ in range(3)] == [(201, 201)] * 2 + [(429, 429)]


@pytest.mark.parametrize(("error", "status"), [(TimeoutError(), 504), (NobodyDecides("halted"), 503)])
def test_what_may_have_been_done_counts(shop: Shop, error: Exception, status: int) -> None:
    reopened(shop, registrations_per_address=2)
    shop.backend.answers = {RegisterCustomer: error}
    assert [register(shop, number) for number in range(3)] == [status, status, 429]


def test_a_sign_in_that_could_not_be_compared_does_not_count(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise NO_DATABASE

    with monkeypatch.context() as no_database:
        no_database.setattr(Credentials, "check", broken)
        assert {sign_in(shop, "192.0.2.9", ADMIN).status_code for _ in range(11)} == {503}
    assert sign_in(shop, "192.0.2.9", ADMIN).status_code == 201


def test_a_wrong_secret_holds_up_no_other_order(shop: Shop) -> None:
    shop.backend.happen(placed("o1", None), placed("o2", None))
    for _ in range(10):
        assert shop.client.get("/v1/orders/o1", headers={"Order-Secret": "wrong"}).status_code == 404
    right = {order: {"Order-Secret": order_secret(shop.backend.secrets, order)} for order in ("o1", "o2")}
    assert shop.client.get("/v1/orders/o1", headers=right["o1"]).status_code == 429
    assert shop.client.get("/v1/orders/o2", headers=right["o2"]).status_code == 200


def test_an_order_that_staff_or_a_site_of_ours_passes_on_has_no_address_of_its_buyer(shop: Shop) -> None:
    orders_follow(reopened(shop, site_addresses="192.0.2.200"))
    body = {"wishes": [{"sku": "STEAM-50", "quantity": 1}], "payment": "alipay"}
    addresses = []
    for number, (address, headers) in enumerate(
        (("192.0.2.7", {}), ("192.0.2.200", {}), ("192.0.2.7", shop.staff("support")))
    ):
        shop.client.address = address
        key = {"Idempotency-Key": f"a-key-that-nobody-guesses-{number}", **headers}
        assert shop.client.post("/v1/orders", json=body, headers=key).status_code == 201
        addresses.append(shop.backend.last.ip)
    assert addresses == ["192.0.2.7", "", ""]
