"""An import whose file finds no room: who sends it gets a problem, nothing of it is done, and it is sent again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from services.gateway.imports import importing
from services.gateway.imports.runs import Runs, runs
from shared.contracts import Event
from shared.contracts.gateway import ImportCompleted, RecordImport
from shared.contracts.inventory import LoadKeys
from shared.messages.messages import HALTED, Reply
from tests.gateway.builders import Client, Shop, app_of, open_shop
from tests.runtime.test_room import Disk, small

__all__ = ["small"]
CONTENT = b"sku,key,note\n" + b"".join(b"A-1,K-%d,%s\n" % (number, b"x" * 1_000) for number in range(2_000))

WHY = "the disk of /var/kameng/inventory.sqlite3 is full"
HALTS = Reply("failed", "inventory", 1, code=HALTED, detail=WHY, status=503)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(importing, "PROGRESS_SECONDS", 0.01)
    shop = open_shop(tmp_path)
    shop.backend.answers[LoadKeys] = Reply("accepted", "inventory", 1, {"loaded": 1, "duplicates": []})
    shop.backend.then[RecordImport] = lambda command: [ImportCompleted(**command.model_dump())]
    return shop


def imported(shop: Shop, **more: str) -> httpx.Response:
    headers = {**shop.staff("operations"), "Idempotency-Key": "k", **more}
    return shop.client.post("/v1/imports/keys", files={"file": ("keys.csv", CONTENT)}, headers=headers)


def is_full(answer: httpx.Response) -> None:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"], answer.headers.get("Retry-After")) == (503, HALTED, "60"), answer.text
    assert problem["detail"].endswith("is full; send the same again")


@pytest.mark.parametrize("room", [0, len(CONTENT) * 3 // 2], ids=["its body", "its copy"])
def test_a_full_disk_of_temporary_files_is_reported(
    shop: Shop, small: Disk, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small.folder))
    small.fill(room)

    is_full(imported(shop))

    assert shop.backend.sent == []
    assert not list((shop.backend.settings.var / "imports").glob("*"))
    small.clear()
    answer = imported(shop)
    assert (answer.status_code, answer.json()["rows"]) == (200, 2_000), answer.text


def test_a_full_disk_of_what_became_of_the_rows_is_reported(shop: Shop, small: Disk) -> None:
    shop.backend.settings = shop.backend.settings.model_copy(update={"var": small.folder})
    shop.client = Client(app_of(shop.backend))
    small.fill()

    is_full(imported(shop))

    small.clear()
    answer = imported(shop)
    assert (answer.status_code, answer.json()["rows"]) == (200, 2_000), answer.text


def test_a_disk_that_fills_under_an_import_is_reported_and_the_same_sent_again_waits_for_nobody(
    small: Disk, tmp_path: Path
) -> None:
    shop = open_shop(tmp_path, f"sqlite:///{small.folder}/gateway.db")
    shop.backend.answers[LoadKeys] = Reply("accepted", "inventory", 1, {"loaded": 1, "duplicates": []})

    def fill(_: object) -> list[Event]:
        small.fill()
        return []

    shop.backend.then[LoadKeys] = fill
    is_full(imported(shop))
    again = imported(shop, Prefer="respond-async")
    is_full(again)
    assert f"{small.folder}/gateway.db" in again.json()["detail"]

    small.clear()
    del shop.backend.then[LoadKeys]
    answer = imported(shop)
    assert (answer.status_code, answer.json()["rows"]) == (200, 2_000), answer.text


def test_a_try_whose_end_could_not_be_recorded_is_known_as_interrupted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    taken = shop.backend.answers[LoadKeys]
    shop.backend.answers[LoadKeys] = HALTS
    with monkeypatch.context() as no_room:
        no_room.setattr(Runs, "end", full)
        assert imported(shop).json()["code"] == HALTED
    shop.backend.answers[LoadKeys] = taken
    with shop.backend.reads.connect() as connection:
        (import_id,) = connection.execute(sa.select(runs.c.import_id)).scalars()
    known = shop.client.get(f"/v1/imports/{import_id}", headers=shop.staff("operations")).json()
    assert known["state"] == "interrupted"
    assert list(shop.client.app.state.importing.stopped) == [import_id]
    assert imported(shop).status_code == 200
    assert shop.client.app.state.importing.stopped == {}


@pytest.mark.parametrize(
    ("content", "answer", "status"),
    [(CONTENT, HALTS, 503), (b"sku,name\nA-1,n\n", None, 422), (b'sku,key\nA-1,"K', None, 422)],
    ids=["stopped", "no key column", "damaged"],
)
def test_a_try_whose_end_is_written_is_not_kept_in_mind(
    shop: Shop, content: bytes, answer: Reply | None, status: int
) -> None:
    if answer is not None:
        shop.backend.answers[LoadKeys] = answer
    headers = {**shop.staff("operations"), "Idempotency-Key": "k"}

    response = shop.client.post("/v1/imports/keys", files={"file": ("keys.csv", content)}, headers=headers)

    assert response.status_code == status, response.text
    with shop.backend.reads.connect() as connection:
        assert connection.execute(sa.select(runs.c.state)).scalar_one() in ("failed", "interrupted")
    assert shop.client.app.state.importing.stopped == {}


def test_an_import_stops_where_nothing_is_decided_and_goes_on_later(shop: Shop) -> None:
    taken = shop.backend.answers[LoadKeys]
    shop.backend.answers[LoadKeys] = HALTS

    stopped = imported(shop)

    assert (stopped.status_code, stopped.json()["code"], stopped.headers["Retry-After"]) == (503, HALTED, "60")
    assert stopped.json()["detail"] == f"no request is decided now: {HALTS.detail}"
    assert {type(message.command) for message in shop.backend.sent} == {LoadKeys}
    shop.backend.answers[LoadKeys] = taken
    assert imported(shop).json()["counts"] == {"loaded": 2_000}
