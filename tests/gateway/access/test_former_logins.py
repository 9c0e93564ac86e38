"""Logins that a version before stored as they were typed, spaces and unseen characters included."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from services.gateway.access.credentials import Credentials, credentials, former_logins
from services.gateway.access.projection import customers

OLDER, NEWER = "bob@example.com ", "bob@example.com\u200b"
BOB = "Bob@example.com"


def stored(engine: sa.Engine, login: str, subject: str, registered_at: str) -> None:
    """As the version before kept a customer."""
    with engine.begin() as connection:
        row = {"kind": "customer", "login": login, "subject": subject, "hash": PasswordHasher().hash(f"of {subject}")}
        connection.execute(sa.insert(credentials), row)
        row = {"customer": subject, "name": "", "email": "", "registered_at": registered_at}
        connection.execute(sa.insert(customers), row)


@pytest.fixture
def kept(tmp_path: Path) -> Credentials:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/gateway.db")
    credentials.create(engine)
    customers.create(engine)
    return Credentials(engine)


def test_a_login_is_found_in_every_spelling_and_not_given_away(kept: Credentials) -> None:
    stored(kept.engine, OLDER, "older", "2026-01-01")
    for _ in range(2):  # every start
        kept.create()

    assert [kept.check("customer", spelled, "of older") for spelled in (OLDER, BOB, NEWER)] == ["older"] * 3
    assert kept.check("staff", OLDER, "of older") is None
    assert kept.is_former("customer", BOB)
    assert not kept.claim("customer", BOB, "thief", "long enough")
    assert kept.check("customer", BOB, "long enough") is None


def test_of_two_logins_that_are_one_now_each_is_found_as_it_was_and_the_older_in_every_spelling(
    kept: Credentials,
) -> None:
    stored(kept.engine, NEWER, "newer", "2026-02-02")
    stored(kept.engine, OLDER, "older", "2026-01-01")
    kept.create()

    assert kept.check("customer", NEWER, "of newer") == "newer"
    assert kept.check("customer", OLDER, "of older") == "older"
    assert kept.check("customer", BOB, "of older") == "older"
    assert kept.check("customer", BOB, "of newer") is None


def test_who_had_the_canonical_login_keeps_it(kept: Credentials) -> None:
    stored(kept.engine, BOB.casefold(), "newer", "2026-02-02")
    stored(kept.engine, OLDER, "older", "2026-01-01")
    kept.create()

    assert kept.check("customer", BOB, "of newer") == "newer"
    assert kept.check("customer", OLDER, "of older") == "older"


def test_logins_in_their_canonical_form_need_no_note(kept: Credentials) -> None:
    stored(kept.engine, "bob@example.com", "bob", "2026-01-01")
    kept.create()

    with kept.engine.connect() as connection:
        assert connection.execute(sa.select(former_logins)).all() == []


@pytest.mark.parametrize("former", ["bob@example.com.", "bob@example\u3002com"])
def test_a_login_that_is_a_mail_address_is_found_in_every_form_of_the_address(kept: Credentials, former: str) -> None:
    kept.create()
    stored(kept.engine, former, "older", "2026-01-01")
    with kept.engine.begin() as connection:  # noted when logins had another canonical form
        connection.execute(sa.insert(former_logins), {"kind": "customer", "login": former, "canonical": former})
    kept.create()

    assert [kept.check("customer", spelled, "of older") for spelled in (former, BOB, f"{BOB}.")] == ["older"] * 3
    assert not kept.claim("customer", BOB, "thief", "long enough")
