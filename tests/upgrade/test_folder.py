"""A folder that the version before wrote is brought up to this one by starting it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from cli.__main__ import SERVICES
from cli.proofs import prove, verify_service
from demo.running import free_port
from services.gateway.orders.buyers import order_secret
from shared.eventstore import schema
from shared.eventstore.engines import open_engine
from shared.projections import versions
from shared.runtime.embedded import database_url
from shared.runtime.file_upgrade import upgrade_files
from shared.runtime.service import Service
from shared.security.secrets import Secrets
from tests.platform.served import Served
from tests.upgrade import written

NEEDS_A_VERSION = "other rows, columns or states than before: raise `version` of its tables"


@contextmanager
def engines(var: Path, *, writer: bool) -> Iterator[dict[str, sa.Engine]]:
    made = {one.name: open_engine(database_url(var, one.name), writer=writer) for one in SERVICES}
    yield made
    for engine in made.values():
        engine.dispose()


def heads(logs: dict[str, sa.Engine]) -> dict[str, bytes]:
    hashes = {}
    for name, engine in logs.items():
        with engine.connect() as connection:
            hashes[name] = connection.execute(sa.select(schema.head.c.hash)).scalar_one()
    return hashes


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_tables_that_come_out_otherwise_have_another_version(tmp_path: Path, service: Service) -> None:
    written.unpack(tmp_path)
    with engines(tmp_path, writer=False) as logs:
        if service.projection.version != versions.FIRST:
            return
        with logs[service.name].connect() as connection:
            assert not versions.is_outdated(connection, service.projection), NEEDS_A_VERSION
        verdict = verify_service(service, logs)
    assert verdict.ok, f"{verdict}: {NEEDS_A_VERSION}"


def test_the_files_are_brought_up_to_this_version_once(tmp_path: Path) -> None:
    written.unpack(tmp_path)
    with engines(tmp_path, writer=True) as writing, engines(tmp_path, writer=False) as logs:
        before = heads(logs)
        upgrade_files(SERVICES, writing, logs, datetime.now(UTC))
        again = upgrade_files(SERVICES, writing, logs, datetime.now(UTC))
        proofs = prove(SERVICES, logs, drained=False)

        assert again == []
        assert heads(logs) == before
        assert [proof.detail for proof in proofs if not proof.ok] == []
        for service in SERVICES:
            with logs[service.name].connect() as connection:
                assert not versions.is_outdated(connection, service.projection)


def test_an_interrupted_one_is_done_by_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written.unpack(tmp_path)
    gateway = next(service for service in SERVICES if service.name == "gateway")
    monkeypatch.setattr(gateway.projection, "version", gateway.projection.version + 1)

    def interrupted(connection: sa.Connection, tables: object) -> None:
        raise KeyboardInterrupt

    with engines(tmp_path, writer=True) as writing, engines(tmp_path, writer=False) as logs:
        with monkeypatch.context() as patch:
            patch.setattr(versions, "rebuilt", interrupted)
            with pytest.raises(KeyboardInterrupt):
                upgrade_files(SERVICES, writing, logs, datetime.now(UTC))

        assert "gateway" in upgrade_files(SERVICES, writing, logs, datetime.now(UTC))
        assert verify_service(gateway, logs).ok


def test_its_buyers_keys_and_lists_are_served_on(tmp_path: Path) -> None:
    written.unpack(tmp_path)
    environment = {"KAMENG_PAY_WITHIN_SECONDS": "600"}
    with Served(tmp_path, free_port(), environment) as it, httpx.Client(base_url=it.address, timeout=60) as web:
        wallet = written.ORDERS["wallet"]
        secret = order_secret(Secrets(tmp_path / "secrets"), wallet)
        opened = web.get(f"/v1/orders/{wallet}/deliveries", headers={"Order-Secret": secret}).json()
        people = {login: signed_in(web, login) for login in (written.AMY, written.AMY_SPACED, written.BOB.lower())}
        amy = {"Authorization": f"Bearer {people[written.AMY]['token']}"}
        sold = bought(web, amy, {"sku": "GAME-10", "quantity": 1})
        keys = web.get(f"/v1/orders/{sold['order_id']}/deliveries", headers=amy).json()["items"][0]["keys"]
        blocked = bought(web, amy, {"sku": "TOP-50", "quantity": 1, "target": "+86 138-0013-8000"})

    assert opened["items"][0]["keys"][0]["key"] == written.FIRST_KEY
    assert len({person["subject"] for person in people.values()}) == len(people)
    assert sold["status"] == "completed"
    assert keys[0]["key"].startswith("G10-")
    assert blocked["cancel_reason"] == "blocked"


def signed_in(web: httpx.Client, login: str) -> dict[str, str]:
    answer = web.post("/v1/sessions", json={"kind": "customer", "login": login, "password": written.PASSWORD})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bought(web: httpx.Client, buyer: dict[str, str], wish: dict[str, object]) -> dict[str, Any]:
    """The order as it ended, paid from the wallet."""
    body = {"wishes": [wish], "payment": "wallet"}
    placed = web.post("/v1/orders", json=body, headers={**buyer, "Idempotency-Key": f"bought-{wish['sku']}"})
    assert placed.status_code == 201, placed.text
    return web.get(f"/v1/orders/{placed.json()['order_id']}", params={"wait": 30}, headers=buyer).json()
