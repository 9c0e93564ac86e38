"""An import is one resource: a request that is sent again joins it, and it ends in a known state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.http.app import create_app
from services.gateway.imports import importing
from services.gateway.imports.runs import SILENCE
from shared.contracts.gateway import ImportCompleted, RecordImport
from shared.contracts.inventory import LoadKeys
from shared.messages.messages import CommandMessage, Reply
from tests.gateway.builders import FakeBackend, Shop, open_shop

CONTENT = b"sku,key,other\n" + b"".join(b"A-1,K-%d,O-%d\n" % (n, n) for n in range(2_500))


class Paused(FakeBackend):
    """Loads keys when it is let, and tells when it has been asked to."""

    def pause(self) -> None:
        self.asked_to_load, self.let = asyncio.Event(), asyncio.Event()

    async def send(self, service: str, message: CommandMessage) -> Reply:
        if isinstance(message.command, LoadKeys):
            self.asked_to_load.set()
            await self.let.wait()
        return await super().send(service, message)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = open_shop(tmp_path)
    shop.backend.__class__ = Paused
    shop.backend.answers[LoadKeys] = Reply("accepted", "inventory", 1, {"loaded": 1, "duplicates": []})
    shop.backend.then[RecordImport] = lambda command: [ImportCompleted(**command.model_dump())]
    return shop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PROGRESS_SECONDS", 0.01)
    monkeypatch.setattr(importing, "ASK_SECONDS", 0.01)


class Asking:
    """Sends imports to an application within one event loop."""

    def __init__(self, shop: Shop, client: httpx.AsyncClient) -> None:
        self.backend: Any = shop.backend
        self._client, self._headers = client, shop.staff("operations")

    async def post(self, key: str = "i", prefer: str = "", kind: str = "keys", **form: str) -> httpx.Response:
        headers = {"Idempotency-Key": key, **({"Prefer": prefer} if prefer else {}), **self._headers}
        return await self._client.post(
            f"/v1/imports/{kind}", files={"file": ("k.csv", CONTENT)}, data=form, headers=headers
        )

    async def get(self, path: str) -> httpx.Response:
        return await self._client.get(path, headers=self._headers)

    async def until(self, path: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            if met(body := (await self.get(path)).json()):
                return body
            await asyncio.sleep(0)


@asynccontextmanager
async def asking(shop: Shop, app: Any = None) -> AsyncIterator[Asking]:
    transport = httpx.ASGITransport(app or shop.client.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield Asking(shop, client)


def run(shop: Shop, scenario: Callable[[Asking], Awaitable[None]]) -> None:
    async def play() -> None:
        shop.backend.pause()  # type: ignore[attr-defined]
        async with asking(shop) as asks:
            await scenario(asks)

    asyncio.run(play())


def loads(shop: Shop) -> int:
    return sum(isinstance(message.command, LoadKeys) for message in shop.backend.sent)


def test_a_request_that_is_sent_again_joins_the_import_that_runs(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        first = asyncio.create_task(asks.post())
        await asks.backend.asked_to_load.wait()
        again = asyncio.create_task(asks.post())
        other = await asks.post(mapping='{"key": "other"}')
        asks.backend.let.set()
        one, two = await first, await again
        third = await asks.post()

        assert (other.status_code, other.json()["code"]) == (409, "idempotency-conflict")
        assert one.status_code == two.status_code == third.status_code == 200
        assert one.json() == two.json()
        assert third.json() == {**one.json(), "replayed": True}
        assert one.json()["counts"] == one.json()["fates"] == {"loaded": 2_500}
        fates = (await asks.get(f"/v1/imports/{one.json()['import_id']}/fates")).text
        assert len(fates.splitlines()) == 2_501
        assert (await asks.post(mapping='{"key": "other"}')).status_code == 409

    run(shop, scenario)
    assert loads(shop) == 3


def test_a_long_import_is_answered_by_where_to_ask(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        accepted = await asks.post(prefer="respond-async")
        path = accepted.headers["Location"]
        running = await asks.until(path, lambda body: body["rows"] > 0)
        fates = await asks.get(f"{path}/fates")
        asks.backend.let.set()
        over = await asks.until(path, lambda body: body["state"] != "running")

        assert (accepted.status_code, accepted.json()["state"], running["state"]) == (202, "running", "running")
        assert (fates.status_code, fates.json()["code"]) == (409, "import-running")
        assert (over["state"], over["counts"]) == ("completed", {"loaded": 2_500})
        assert (await asks.post(prefer="respond-async")).json() == {**over, "replayed": True}

    run(shop, scenario)


def test_another_encoding_makes_another_import(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        asks.backend.let.set()
        plain, other = await asks.post(), await asks.post(encoding="windows-1251")
        same, odd = await asks.post(encoding="CP1251"), await asks.post(encoding="nonsense")

        assert plain.json()["import_id"] != other.json()["import_id"] == same.json()["import_id"]
        assert same.json()["replayed"] is True
        assert (odd.status_code, odd.json()["code"]) == (422, "encoding-not-known")

    run(shop, scenario)


def test_what_an_import_does_not_take_is_refused(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        asks.backend.let.set()
        for odd in ("?dry_run=true", "?dry_run=false", "?encoding=gbk", "?x"):
            answer = await asks.post(kind=f"keys{odd}")
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request"), odd
        for name in ("dryrun", "dry-run", "Dry_Run", "note"):
            answer = await asks.post(**{name: "true"})
            assert answer.status_code == 422, name
            assert name in answer.text

    run(shop, scenario)
    assert shop.backend.sent == []


def test_a_dry_run_is_kept_and_is_another_import(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        asks.backend.let.set()
        tried, done = await asks.post(dry_run="true"), await asks.post()

        assert tried.json()["import_id"] != done.json()["import_id"]
        assert (await asks.get(f"/v1/imports/{tried.json()['import_id']}")).json() == tried.json()
        assert [type(message.command) for message in asks.backend.sent].count(RecordImport) == 1

    run(shop, scenario)


def test_a_file_that_can_not_be_read_is_shown_as_failed_and_may_be_tried_otherwise(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        asks.backend.let.set()
        wrong = '{"key": "nowhere"}'
        refused = await asks.post(mapping=wrong)
        accepted = await asks.post(mapping=wrong, prefer="respond-async")
        failed = await asks.until(accepted.headers["Location"], lambda body: body["state"] != "running")

        assert (refused.status_code, refused.json()["code"]) == (422, "bad-mapping")
        assert (failed["state"], failed["broken"]["code"]) == ("failed", "bad-mapping")
        assert (await asks.post()).json()["counts"] == {"loaded": 2_500}

    run(shop, scenario)


def test_another_process_is_joined_and_taken_over_when_it_falls_silent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PROGRESS_SECONDS", 3600)

    async def scenario(asks: Asking) -> None:
        async with asking(shop, create_app(asks.backend)) as there:
            path = (await there.post(prefer="respond-async")).headers["Location"]
            await asks.backend.asked_to_load.wait()
            joined = await asks.post(prefer="respond-async")
            before = loads(shop)
            shop.clock.now += SILENCE + timedelta(seconds=1)
            silent = (await asks.get(path)).json()
            anew = await asks.post(prefer="respond-async")
            # The silent one goes on, too: that must do no harm.
            asks.backend.let.set()
            over = await asks.until(path, lambda body: body["state"] != "running")
            fates = (await asks.get(f"{path}/fates")).text

        assert (joined.status_code, before) == (202, 0)
        assert (silent["state"], anew.status_code) == ("interrupted", 202)
        assert (over["state"], over["counts"]) == ("completed", {"loaded": 2_500})
        assert len(fates.splitlines()) == 2_501

    run(shop, scenario)


def test_what_runs_when_the_application_ends_is_shown_as_interrupted(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        waiting = asyncio.create_task(asks.post())
        await asks.backend.asked_to_load.wait()
        await shop.client.app.state.importing.close()
        stopped = await waiting
        asks.backend.let.set()
        again = await asks.post()

        assert (stopped.status_code, stopped.json()["code"]) == (503, "import-interrupted")
        assert again.json()["counts"] == {"loaded": 2_500}
        assert again.json()["replayed"] is False

    run(shop, scenario)


def test_an_import_that_only_the_log_knows_is_not_done_again(shop: Shop) -> None:
    async def scenario(asks: Asking) -> None:
        asks.backend.let.set()
        first = (await asks.post()).json()
        with asks.backend.reads.begin() as connection:
            connection.exec_driver_sql("DELETE FROM import_runs")
        again = (await asks.post()).json()

        assert again["replayed"] is True
        assert set(first) <= set(again)
        assert again["counts"] == first["counts"]

    run(shop, scenario)
    assert loads(shop) == 3
