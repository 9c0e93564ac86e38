"""An import whose file finds no room: who sends it is told so, nothing of it is done, and it is sent again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.api import create_app, importing
from shared.contracts.gateway import ImportCompleted, RecordImport
from shared.contracts.inventory import LoadKeys
from shared.messaging.port import HALTED, Reply
from tests.gateway.builders import Client, Shop, open_shop
from tests.hosting.test_room import Disk, small

__all__ = ["small"]
CONTENT = b"sku,key,note\n" + b"".join(b"A-1,K-%d,%s\n" % (number, b"x" * 1_000) for number in range(2_000))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(importing, "TELL_SECONDS", 0.01)
    shop = open_shop(tmp_path)
    shop.backend.answers[LoadKeys] = Reply("accepted", "inventory", 1, {"loaded": 1, "duplicates": []})
    shop.backend.then[RecordImport] = lambda command: [ImportCompleted(**command.model_dump())]
    return shop


def imported(shop: Shop) -> httpx.Response:
    headers = {**shop.staff("operations"), "Idempotency-Key": "k"}
    return shop.client.post("/v1/imports/keys", files={"file": ("keys.csv", CONTENT)}, headers=headers)


def is_full(answer: httpx.Response) -> None:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"], answer.headers.get("Retry-After")) == (503, HALTED, "60"), answer.text
    assert problem["detail"].endswith("is full; send the same again")


@pytest.mark.parametrize("room", [0, len(CONTENT) * 3 // 2], ids=["its body", "its copy"])
def test_a_full_disk_of_temporary_files_is_told(
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


def test_a_full_disk_of_what_became_of_the_rows_is_told(shop: Shop, small: Disk) -> None:
    shop.backend.settings = shop.backend.settings.model_copy(update={"var": small.folder})
    shop.client = Client(create_app(shop.backend))
    small.fill()

    is_full(imported(shop))

    small.clear()
    answer = imported(shop)
    assert (answer.status_code, answer.json()["rows"]) == (200, 2_000), answer.text
