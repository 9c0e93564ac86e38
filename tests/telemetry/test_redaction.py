"""No secret gets into a log line, whatever is given to a logger."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.telemetry.redaction import HIDDEN, LONGEST, redact, scrubbed

SECRET = "hunter2Zq9xW"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlMTIz"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


def line(**facts: Any) -> dict[str, Any]:
    return dict(redact(None, "info", {"event": "something", **facts}))


@pytest.mark.parametrize(
    "name",
    [
        "password", "new_password", "PASSWORD", "passwd", "passphrase", "db_pwd", "secret", "order_secret",
        "client-secret", "webhook_secret", "token", "access_token", "Authorization", "Cookie", "Set-Cookie",
        "credentials", "signature", "webhook-signature", "private_key", "api_key", "apikey", "api-key", "access_key",
        "signing_key", "card_key", "card_keys", "card_no", "keys", "buyer_key", "box", "envelope", "pin", "cvv", "otp",
        "dsn", "卡密", "密码", "密钥",
    ],
)  # fmt: skip
def test_what_goes_by_a_secrets_name_is_hidden(name: str) -> None:
    logged = line(**{name: SECRET}, inside={"deeper": [{name: [SECRET]}]})

    assert logged[name] == HIDDEN
    assert SECRET not in json.dumps(logged)


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql+psycopg://kameng_order:{SECRET}@db:5432/kameng_order",
        f"could not connect to amqp://kameng:{SECRET}@broker/%2f, trying again",
        f"amqp://kameng:p@{SECRET}@broker/",
        f"smtps://:{SECRET}@mail.example",
        f"Authorization: Bearer {SECRET}",
        f"authorization=Basic {SECRET}==",
        f'headers={{"Authorization": "Bearer {SECRET}"}}',
        f"sent bearer {SECRET}",
        f"Cookie: lang=zh; session={SECRET}",
        f"GET /v1/orders?page=2&token={SECRET}&x=1",
        f"password={SECRET}",
        f"passwd: {SECRET}",
        f'{{"password": "{SECRET}"}}',
        f"{{'api_key': '{SECRET}'}}",
        f"host=db user=kameng password='{SECRET}' dbname=x",
        f"webhook_secret = {SECRET}",
        f"card_key={SECRET}",
        f"卡密：{SECRET}".replace("：", ":"),
        f"whsec_{SECRET}{SECRET}",
        f"sk_live_{SECRET}{SECRET}",
        f"$argon2id$v=19$m=65536,t=3,p=4${SECRET}",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}",
        f"1 validation error\nname\n  bad [type=x, input_value={{'n': '{SECRET}'}}, input_type=dict]",
        f"(psycopg.Error) bad\n[SQL: SELECT 1]\n[parameters: ('{SECRET}', 2)]\n(Background on this error at: …)",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert SECRET not in scrubbed(text)
    assert SECRET not in json.dumps(line(error=text, event=text, many=[text, {"in": (text,)}]))


@pytest.mark.parametrize(
    "text", [JWT, f"token {JWT} is over", "AB12-CD34-EF56", "key AAAAA-BBB2B-CCCCC-DDDDD!", "1234-5678-9012-3456"]
)
def test_tokens_and_card_keys_are_known_by_their_looks(text: str) -> None:
    cleaned = scrubbed(text)

    assert HIDDEN in cleaned
    assert not any(part in cleaned for part in (JWT, "CD34", "BBB2B", "5678"))


@pytest.mark.parametrize(
    "text",
    [
        "b1946ac9-2492-5d23-8f7e-1b2d3c4e5f60", "order-b1946ac9-2492-5d23-8f7e-1b2d3c4e5f60", "2026-01-01T08:00:01Z",
        "OrderPlaced.v1", "/v1/orders/{order_id}/cancel", "EffectFailed: alpha answered HTTP 500", "STEAM-50",
        "https://north.example/api", "http://127.0.0.1:8000", "KeyError at unit.py:12 > loop.py:40", "卡密已导入 12 张",
        "0af7651916cd43dd8448eb211c80319c", "the administrator's password is shown once", "call/019a-1/2",
    ],
)  # fmt: skip
def test_what_people_need_is_left(text: str) -> None:
    assert line(note=text)["note"] == text


def test_a_url_keeps_all_but_its_password() -> None:
    assert scrubbed(f"amqp://kameng:{SECRET}@broker:5672/") == f"amqp://kameng:{HIDDEN}@broker:5672/"


def test_what_is_no_text_becomes_some_and_can_do_no_harm() -> None:
    circle: list[object] = []
    circle.append(circle)

    logged = line(
        raw=SECRET.encode(), odd=Hostile(), circle=circle, many={"n": list(range(10_000))}, amount=3, none=None
    )

    assert SECRET not in json.dumps(logged)
    assert (logged["raw"], logged["amount"], logged["none"]) == ("12 bytes", 3, None)
    assert len(logged["many"]["n"]) < 1_000


def test_a_line_is_not_endless() -> None:
    assert len(scrubbed("x" * 10_000_000)) < LONGEST + 100


@pytest.mark.parametrize(
    "text",
    ["a" * 8_000, "-" * 8_000, "://:" * 2_000, "password" * 1_000, "AB1-" * 2_000, "eyJ" * 2_600, "bearer " * 1_100],
)
def test_hostile_texts_are_looked_through_in_no_time(text: str) -> None:
    scrubbed(text)


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_whatever_is_given_there_is_a_line(value: object) -> None:
    json.dumps(line(value=value))
