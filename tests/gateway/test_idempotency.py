"""Another request under the same Idempotency-Key is refused: every route of the document is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from services.gateway.access.credentials import credentials
from shared.contracts.gateway import (
    AddStaff,
    PartnerKind,
    RemoveStaff,
    RotateWebhookSecret,
    StaffAdded,
    StaffRemoved,
    StatementUnread,
)
from shared.contracts.ledger import PaymentUnmatched
from shared.messages.messages import CommandMessage, Reply
from tests.amounts import yuan
from tests.gateway.builders import Shop, customer_registered, line, listed, open_shop, placed
from tests.gateway.test_permissions import ROUTES

KEY = "one-key-for-two-requests"
UNMATCHED = PaymentUnmatched(
    payment_id="o1", item="i1", channel="alipay", channel_ref="r", callback_id="c", amount=yuan(1), expected=yuan(2),
    reason="amount-mismatch", order_id="o1", postings=(),
)  # fmt: skip
UNREAD = [
    StatementUnread(statement_id=f"{kind}-1", kind=kind, partner="p", faults=("?",), scraps=(), size=1)
    for kind in get_args(PartnerKind)
]
METHODS = ("post", "patch", "put", "delete")


def remembering(shop: Shop) -> Shop:
    """Has the backend answer a command id as a writer does: again for the same command, a conflict for another."""
    decide, known = shop.backend.send, dict[str, tuple[str, Reply]]()

    async def send(service: str, message: CommandMessage) -> Reply:
        fingerprint = message.command.fingerprint()
        if message.id in known:
            before, reply = known[message.id]
            if before != fingerprint:
                return Reply("conflict", service, 1, code="idempotency-conflict", status=409)
            return Reply(reply.outcome, service, reply.position, reply.answer, repeated=True)
        known[message.id] = fingerprint, await decide(service, message)
        return known[message.id][1]

    shop.backend.send = send  # type: ignore[method-assign]
    return shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = remembering(open_shop(tmp_path))
    shop.backend.happen(listed(), customer_registered("c1"), placed("o1", "c1", lines=(line(),)), UNMATCHED, *UNREAD)
    shop.backend.answers[RotateWebhookSecret] = Reply("accepted", "gateway", 1, {"generation": 2})
    return shop


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if reference := schema.get("$ref"):
        return document["components"]["schemas"][reference.rpartition("/")[2]]
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    return resolved(options[0], document) if options else schema


def other(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> Iterator[Any]:
    """The value with one thing changed, in each way: what a schema allows, as far as it is easily seen."""
    value = schema.get("default") if value is None else value
    schema = resolved(schema, document)
    if choices := schema.get("enum"):
        yield from (choice for choice in choices[:2] if choice != value)
    elif isinstance(value, bool) or schema.get("type") == "boolean":
        yield not value
    elif schema.get("type") == "integer":
        yield (value or 0) + 1
    elif schema.get("type") == "string":
        yield "2030-01-01T00:00:00Z" if schema.get("format") == "date-time" else f"{value or 'a'}x"
    elif schema.get("type") == "array":
        for place, part in enumerate(value or ()):
            for changed in other(part, schema["items"], document):
                yield [*value[:place], changed, *value[place + 1 :]]
    else:
        for name, part in schema.get("properties", {}).items():
            for changed in other((value or {}).get(name), part, document):
                yield {**(value or {}), name: changed}


def taking_a_key(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in METHODS:
            if (route := methods.get(method)) and any(
                parameter["name"] == "Idempotency-Key" for parameter in route.get("parameters", ())
            ):
                yield method.upper(), path, route


def test_no_route_that_takes_a_key_does_another_request_under_it(shop: Shop) -> None:
    document, boss = shop.client.app.openapi(), shop.staff("administrator")
    shop.backend.then[AddStaff] = lambda c: [StaffAdded(username=c.username, role=c.role)]
    shop.backend.then[RemoveStaff] = lambda c: [StaffRemoved(username=c.username)]
    known = {(method, re.sub(r":path\}", "}", path)): example for (method, path), example in ROUTES.items()}
    tried = 0
    for number, (method, path, route) in enumerate(taking_a_key(document)):
        form = route.get("requestBody", {}).get("content", {}).get("application/json")
        if form is None:
            continue  # it has no body, or is a file, which imports compare by its bytes
        where, body, _ = known[method, path]
        refused = []
        for place, changed in enumerate(other(body, form["schema"], document)):
            headers = {**boss, "Idempotency-Key": f"{KEY}-{number}-{place}"}
            first = shop.client.request(method, where, json=body, headers=headers)
            assert first.status_code < 300 or first.json()["code"] != "invalid-request", (path, first.text)
            second = shop.client.request(method, where, json=changed, headers=headers)
            assert second.status_code >= 400, (method, path, body, changed)
            refused.append(second.json()["code"])
            if path == "/v1/staff":  # so that the next pair meets nobody of this name
                shop.client.request("DELETE", "/v1/staff/x", headers=boss)
        assert "idempotency-conflict" in refused, (method, path, refused)
        tried += 1
    assert tried >= 12


def test_another_password_under_the_same_key_changes_nothing(shop: Shop) -> None:
    boss = {**shop.staff("administrator"), "Idempotency-Key": KEY}
    shop.backend.then[AddStaff] = lambda c: [StaffAdded(username=c.username, role=c.role)]
    shop.backend.then[RemoveStaff] = lambda c: [StaffRemoved(username=c.username)]
    anna = {"username": "anna", "role": "support", "password": "correct horse battery"}

    def signs_in(password: str) -> bool:
        credentials = {"kind": "staff", "login": "anna", "password": password}
        return shop.client.post("/v1/sessions", json=credentials).status_code == 201

    assert shop.client.post("/v1/staff", json=anna, headers=boss).status_code == 201
    assert shop.client.post("/v1/staff", json={**anna, "password": "another password"}, headers=boss).status_code == 409
    assert signs_in(anna["password"])
    assert not signs_in("another password")
    assert anna["password"] not in repr(shop.backend.sent)

    # Removed, and added again by another request: the first one, repeated, does not bring its password back.
    shop.client.request("DELETE", "/v1/staff/anna", headers=shop.staff("administrator"))
    newer = {**boss, "Idempotency-Key": f"{KEY}-2"}
    assert (
        shop.client.post("/v1/staff", json={**anna, "password": "a newer password"}, headers=newer).status_code == 201
    )
    assert shop.client.post("/v1/staff", json=anna, headers=boss).status_code == 201
    assert signs_in("a newer password")
    assert not signs_in(anna["password"])


def test_a_member_whose_password_was_not_stored_gets_it_by_the_same_request(shop: Shop) -> None:
    boss = {**shop.staff("administrator"), "Idempotency-Key": KEY}
    anna = {"username": "anna", "role": "support", "password": "correct horse battery"}
    shop.client.post("/v1/staff", json=anna, headers=boss)
    with shop.backend.reads.begin() as connection:
        connection.execute(credentials.delete())

    assert shop.client.post("/v1/staff", json=anna, headers=boss).status_code == 201
    assert shop.credentials.check("staff", "anna", anna["password"]) == "anna"
