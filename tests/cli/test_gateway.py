"""`kameng gateway` while what it needs is not there yet."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from psycopg import errors
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, ProgrammingError

from cli import http
from cli.http import administrator, http_server, in_both_families
from services.gateway.settings import GatewaySettings
from shared.readside.backend import Busy
from shared.security.secrets import Secrets
from tests.gateway.builders import Client, open_shop, orders_follow

NOT_YET = (
    TimeoutError("no reply"),
    Busy("full"),
    OperationalError("SELECT", {}, errors.ConnectionFailure("no server")),
    ProgrammingError("SELECT", {}, errors.UndefinedTable("no table")),
)


def ask(monkeypatch: pytest.MonkeyPatch, *answers: Exception | str, server: Any) -> list[str]:
    """The passwords that are shown, when making an administrator ends in turn as given."""
    left, shown = iter(answers), list[str]()

    async def ensure(_: object, tell: Callable[[str], None]) -> None:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        tell(answer)

    monkeypatch.setattr(http, "ensure_administrator", ensure)
    monkeypatch.setattr(http, "show_administrator", shown.append)
    monkeypatch.setattr(http, "LONGEST_PAUSE_SECONDS", 0)
    asyncio.run(administrator(SimpleNamespace(), server))  # pyright: ignore[reportArgumentType]
    return shown


def test_database_tables_and_writer_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(should_exit=False)

    assert ask(monkeypatch, *NOT_YET, "the password", server=server) == ["the password"]


def test_the_wait_ends_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    server = SimpleNamespace(should_exit=True)

    assert ask(monkeypatch, TimeoutError(), "the password", server=server) == []


def test_a_file_that_can_not_be_written_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    full = OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    with pytest.raises(OperationalError):
        ask(monkeypatch, full, "the password", server=SimpleNamespace(should_exit=False))


def test_the_secrets_are_made_before_the_first_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(tmp_path)
    shutil.rmtree(tmp_path / "secrets")
    shop.backend.secrets = Secrets(tmp_path / "secrets")
    monkeypatch.setattr(http.signal, "signal", lambda *_: None)

    http_server(shop.backend)

    partners = {"channel-alipay", "supplier-north"}  # that call back
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert made == {"tokens", "order-lookup", "blind-index", "fulfillment-sealing", "webhook-endpoints", *partners}


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [("", "192.0.2.7"), ("10.0.0.0/8", "192.0.2.7"), ("192.0.2.7, 10.0.0.0/8", "203.0.113.5")],
)
def test_a_forwarded_address_is_believed_of_our_own_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: str, seen: str
) -> None:
    shop = open_shop(tmp_path)
    orders_follow(shop)
    shop.backend.settings = shop.backend.settings.model_copy(update={"trusted_proxies": proxies})
    monkeypatch.setattr(http.signal, "signal", lambda *_: None)
    server = http_server(shop.backend)
    server.config.load()
    headers = {"Idempotency-Key": "k1", "X-Forwarded-For": "198.51.100.1, 203.0.113.5, 10.1.2.3"}

    answer = Client(server.config.loaded_app).post(
        "/v1/orders",
        json={"wishes": [{"sku": "STEAM-50", "quantity": 1}]},
        headers={**headers, **shop.customer()},
    )

    assert answer.status_code == 201
    assert shop.backend.last.ip == seen


@pytest.mark.parametrize(("peer", "is_believed"), [("::ffff:10.1.2.3", True), ("::ffff:192.0.2.7", False)])
def test_a_proxy_is_known_as_a_socket_of_both_families_names_it(peer: str, is_believed: bool) -> None:
    assert (
        any(ip_address(peer) in ip_network(one) for one in in_both_families("10.0.0.0/8, 2001:db8::/64")) == is_believed
    )


@pytest.mark.parametrize("proxies", ["*", "proxy.example", "10.0.0.1/8", "10.0.0.0/8,"])
def test_proxies_are_addresses_or_networks(proxies: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        GatewaySettings(trusted_proxies=proxies)


def test_what_waiting_does_not_help_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="not accepted"):
        ask(monkeypatch, RuntimeError("not accepted"), "the password", server=SimpleNamespace(should_exit=False))
