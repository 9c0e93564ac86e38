from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.gateway.access.credentials import credentials
from services.gateway.http.app import create_app
from shared.contracts.gateway import (
    AddStaff,
    CustomerRegistered,
    RecordSignIn,
    RegisterCustomer,
    RemoveStaff,
    SignedIn,
    SignInRefused,
    StaffAdded,
    StaffRemoved,
)
from shared.messages.messages import Reply
from tests.gateway.builders import Shop, open_shop

LI = {"login": "Li@example.com", "password": "correct horse", "name": "Li"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    shop.backend.then.update(
        {
            AddStaff: lambda command: [StaffAdded(username=command.username, role=command.role)],
            RemoveStaff: lambda command: [StaffRemoved(username=command.username)],
            RecordSignIn: lambda c: [(SignedIn if c.accepted else SignInRefused)(username=c.username)],
            RegisterCustomer: lambda c: [CustomerRegistered(customer=c.customer, name=c.name, email=c.email)],
        }
    )
    return shop


def sign_in(shop: Shop, login: str, password: str, kind: str = "customer") -> Any:
    return shop.client.post("/v1/sessions", json={"kind": kind, "login": login, "password": password})


def bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_a_customer_registers_and_signs_in(shop: Shop) -> None:
    registered = shop.client.post("/v1/customers", json=LI)
    assert registered.status_code == 201
    customer = registered.json()["customer"]
    for answer in (registered, sign_in(shop, "li@EXAMPLE.com", "correct horse")):
        assert shop.client.get(f"/v1/wallets/{customer}", headers=bearer(answer)).status_code == 200
    assert sign_in(shop, "li@example.com", "wrong").json()["code"] == "wrong-login"


def test_a_taken_login_keeps_its_password(shop: Shop) -> None:
    shop.client.post("/v1/customers", json=LI)
    shop.backend.answers[RegisterCustomer] = Reply("refused", "gateway", 0, code="customer-exists", status=409)
    assert shop.client.post("/v1/customers", json={**LI, "password": "another one"}).status_code == 409
    assert sign_in(shop, LI["login"], "another one").status_code == 401
    assert sign_in(shop, LI["login"], LI["password"]).status_code == 201


def test_a_registration_that_broke_off_can_be_taken_up_again(shop: Shop) -> None:
    shop.backend.answers[RegisterCustomer] = Reply("refused", "gateway", 0, code="customer-exists", status=409)
    assert shop.client.post("/v1/customers", json=LI).status_code == 201
    assert sign_in(shop, LI["login"], LI["password"]).status_code == 201


def test_no_password_is_kept_or_sent_in_the_clear(shop: Shop) -> None:
    shop.client.post("/v1/customers", json=LI)
    with shop.backend.reads.connect() as connection:
        (kept,) = connection.execute(sa.select(credentials.c.hash)).scalars()
    assert kept.startswith("$argon2id$")
    assert "correct horse" not in repr(shop.backend.sent)


def test_staff_come_and_go_with_their_tokens(shop: Shop) -> None:
    boss = shop.staff("administrator")
    anna = {"username": "anna", "role": "support", "password": "correct horse battery"}
    assert shop.client.post("/v1/staff", json=anna, headers=boss).status_code == 201
    session = sign_in(shop, "anna", anna["password"], "staff")
    assert shop.client.get("/v1/orders", headers=bearer(session)).status_code == 200
    assert shop.client.request("DELETE", "/v1/staff/anna", headers=boss).status_code == 200
    assert shop.client.get("/v1/orders", headers=bearer(session)).json()["code"] == "bad-token"
    assert sign_in(shop, "anna", anna["password"], "staff").status_code == 401
    shop.clock.now += timedelta(seconds=1)
    shop.client.post("/v1/staff", json={**anna, "role": "finance"}, headers=boss)
    assert shop.client.get("/v1/orders", headers=bearer(session)).status_code == 401


def test_nobody_removes_themselves(shop: Shop) -> None:
    answer = shop.client.request("DELETE", "/v1/staff/administrator-1", headers=shop.staff("administrator"))
    assert (answer.status_code, answer.json()["code"]) == (409, "own-account")


def test_sign_ins_of_staff_are_recorded_and_guessed_names_are_not(shop: Shop) -> None:
    shop.staff("support")
    shop.credentials.store("staff", "support-1", "support-1", "correct horse battery")
    sign_in(shop, "support-1", "wrong", "staff")
    assert shop.backend.last == RecordSignIn(username="support-1", accepted=False)
    sign_in(shop, "support-1", "correct horse battery", "staff")
    assert shop.backend.last == RecordSignIn(username="support-1", accepted=True)
    sign_in(shop, "nobody", "wrong", "staff")
    assert len(shop.backend.sent) == 2


def test_a_password_alone_makes_no_staff(shop: Shop) -> None:
    shop.credentials.store("staff", "ghost", "ghost", "correct horse battery")
    assert sign_in(shop, "ghost", "correct horse battery", "staff").status_code == 401
    assert sign_in(shop, "ghost", "correct horse battery", "customer").status_code == 401


def test_guessing_passwords_is_slowed_down(shop: Shop) -> None:
    shop.client.post("/v1/customers", json=LI)
    for number in range(10):
        assert sign_in(shop, LI["login"], f"guess {number}").status_code == 401
    assert sign_in(shop, LI["login"], LI["password"]).status_code == 429
    shop.clock.now += timedelta(minutes=2)
    assert sign_in(shop, LI["login"], LI["password"]).status_code == 201


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Bearer ", "Basic YTpi", "nonsense", "Bearer é"])
def test_a_bad_token_is_not_a_guest(shop: Shop, authorization: str) -> None:
    answer = shop.client.get("/v1/products", headers={"Authorization": authorization.encode()})  # type: ignore[dict-item]
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_token_ends(shop: Shop) -> None:
    headers = shop.customer()
    shop.clock.now += timedelta(hours=12)
    assert shop.client.get("/v1/orders", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "odd", [{"password": "short"}, {"role": "root"}, {"username": "Änna"}, {"username": "../x"}, {"admin": True}]
)
def test_staff_out_of_form_are_refused(shop: Shop, odd: dict[str, Any]) -> None:
    anna = {"username": "anna", "role": "support", "password": "correct horse battery", **odd}
    assert shop.client.post("/v1/staff", json=anna, headers=shop.staff("administrator")).status_code == 422


def test_the_api_is_made_before_its_database_is_there(shop: Shop) -> None:
    shop.backend.reads = sa.create_engine("postgresql+psycopg://127.0.0.1:1/none")

    assert create_app(shop.backend)


@pytest.mark.parametrize(
    "spelled",
    [
        *(
            " LI@example.com ",
            "li＠example.com",
            "l\u200bi@example.com",
            "\u00a0Li@Example.com",
            "\ufeffli@example.com",
        ),
        *("li@example.com.", "li@example\u3002com"),
    ],
)
def test_a_login_is_one_in_every_spelling(shop: Shop, spelled: str) -> None:
    registered = shop.client.post("/v1/customers", json={**LI, "login": spelled})

    assert registered.status_code == 201
    assert sign_in(shop, LI["login"], LI["password"]).json()["subject"] == registered.json()["customer"]
    shop.backend.answers[RegisterCustomer] = Reply("refused", "gateway", 0, code="customer-exists", status=409)
    assert shop.client.post("/v1/customers", json=LI).json()["code"] == "customer-exists"
    assert sign_in(shop, spelled.upper(), LI["password"]).status_code == 201


@pytest.mark.parametrize(
    "email", ["a..b@x.com", ".a@x.com", "a.@x.com", f"{'a' * 65}@x.com", "a@1.2.3.4", "a@xn--a.de"]
)
def test_a_mail_address_that_can_be_none_is_refused(shop: Shop, email: str) -> None:
    answer = shop.client.post("/v1/customers", json={**LI, "email": email})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert shop.backend.sent == []


@pytest.mark.parametrize(
    "login",
    ["   ", "\u3164\u3164\u3164", "a \u200b", "li\u202e@example.com", "li\ue000@example.com", "\u0301\u0302\u0303"],
)
def test_a_login_that_names_nobody_is_refused(shop: Shop, login: str) -> None:
    answer = shop.client.post("/v1/customers", json={**LI, "login": login})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert shop.backend.sent == []


@pytest.mark.parametrize("name", ["   ", "\u200b", "Li\u202e"])
def test_a_name_that_can_t_be_read_is_refused(shop: Shop, name: str) -> None:
    wanted = {"name": name, "url": "https://8.8.8.8/", "events": ["*"]}
    answers = [
        shop.client.post("/v1/customers", json={**LI, "name": name}),
        shop.client.post("/v1/webhooks", json=wanted, headers=shop.staff("administrator")),
        shop.client.request("PATCH", "/v1/webhooks/e1", json={"name": name}, headers=shop.staff("administrator")),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "invalid-request")}
    assert shop.backend.sent == []
    assert shop.client.post("/v1/customers", json={**LI, "name": ""}).status_code == 201


def test_a_member_of_staff_signs_in_in_every_spelling(shop: Shop) -> None:
    admin = shop.staff("administrator")
    member = {"username": " Ｎew.One", "role": "support", "password": "long enough for staff"}

    added = shop.client.post("/v1/staff", json=member, headers=admin)

    assert added.json() == {"username": "new.one", "role": "support"}
    assert sign_in(shop, "NEW.one\u200b", member["password"], "staff").json()["role"] == "support"
