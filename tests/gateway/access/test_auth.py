from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.access.auth import PERMISSIONS, TOKEN_LIFE, BadToken, Permission, Principal, issue, read
from services.gateway.access.throttle import Throttle
from services.gateway.orders.buyers import buyer_key, is_secret_of, open_envelope, order_secret
from shared.security.sealing import CannotOpen, Sealer
from shared.security.secrets import Secrets
from tests.gateway.builders import NOW, ManualClock

SECRET = b"s" * 32
ANNA = Principal("staff", "anna", "support")


def test_a_token_tells_who_holds_it() -> None:
    token, expires_at = issue(SECRET, ANNA, NOW)
    claims = read(SECRET, token, NOW)
    assert (claims.principal, claims.expires_at) == (ANNA, expires_at)


def test_a_token_ends() -> None:
    token, _ = issue(SECRET, ANNA, NOW)
    read(SECRET, token, NOW + TOKEN_LIFE - timedelta(seconds=1))
    with pytest.raises(BadToken):
        read(SECRET, token, NOW + TOKEN_LIFE)


def test_a_token_of_another_secret_is_none() -> None:
    token, _ = issue(b"x" * 32, ANNA, NOW)
    with pytest.raises(BadToken):
        read(SECRET, token, NOW)


@given(st.text(max_size=300))
def test_no_text_is_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        read(SECRET, text, NOW)


@given(st.integers(0, 200), st.sampled_from("ABab01-_"))
def test_no_character_of_a_payload_can_be_changed(place: int, letter: str) -> None:
    token, _ = issue(SECRET, ANNA, NOW)
    payload, _, signature = token.partition(".")
    place %= len(payload)
    changed = payload[:place] + letter + payload[place + 1 :]
    if changed != payload:
        with pytest.raises(BadToken):
            read(SECRET, f"{changed}.{signature}", NOW)


def test_every_permission_is_granted_on_purpose() -> None:
    assert set(PERMISSIONS) == set(Permission)
    assert all("administrator" in roles for roles in PERMISSIONS.values())
    assert not any("operations" in PERMISSIONS[money] for money in (Permission.LEDGER_POST, Permission.ORDER_REFUND))
    assert not any("support" in PERMISSIONS[stock] for stock in (Permission.IMPORT, Permission.PRODUCT_CHANGE))


def test_an_order_has_a_secret_of_its_own(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secret = order_secret(secrets, "o1")
    assert len(secret) * 5 >= 128
    assert is_secret_of(secrets, "o1", secret.upper())
    assert not is_secret_of(secrets, "o2", secret)
    assert not is_secret_of(secrets, "o1", "")
    assert not is_secret_of(secrets, "o1", "é" * 32)


def test_an_envelope_opens_for_its_order_and_delivery_only(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    sealed = Sealer(buyer_key(secrets, "o1"), lambda n: b"r" * n).seal('["KEY-1"]', "o1/1")
    assert open_envelope(secrets, "o1", "o1/1", sealed) == ["KEY-1"]
    for order_id, delivery_id in (("o2", "o1/1"), ("o1", "o1/2")):
        with pytest.raises(CannotOpen):
            open_envelope(secrets, order_id, delivery_id, sealed)


def test_a_throttle_lets_a_caller_wait_and_then_go_on() -> None:
    clock = ManualClock(NOW)
    throttle = Throttle(clock, most=2)
    for _ in range(2):
        assert throttle.wait("a") == 0
        throttle.tried("a")
    assert throttle.wait("a") == 60
    assert throttle.wait("b") == 0
    clock.now += timedelta(seconds=61)
    assert throttle.wait("a") == 0


def test_a_throttle_remembers_a_bounded_number_of_callers() -> None:
    throttle = Throttle(ManualClock(NOW), most=1, keep=2)
    for caller in "abc":
        throttle.tried(caller)
    assert [throttle.wait(caller) > 0 for caller in "abc"] == [False, True, True]
