"""A key in the clear is for its buyer alone; so are passwords, tokens and secrets for their owners."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b16encode, b32encode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.__main__ import SERVICES
from demo.running import PASSWORD
from demo.shop import (
    Answer,
    Buyer,
    answer_of,
    until,
)
from shared.contracts.fulfillment import DeliveryFailed
from tests.gateway.imports.builders import xlsx
from tests.platform.market import KEY_COLUMNS, PRODUCT_COLUMNS, ServedMarket, csv_bytes, open_market

SEALING, LOOKUP = "fulfillment-sealing", "order-lookup"
CARD, DOOMED = "PLANTED", "DOOMED"
SOLD = [f"Vq7SoldZx{number}Kp4mN2wTyB8h" for number in range(6)]
UNSOLD = [f"Wd3UnsoldYr{number}Lq9cJ5vGzX1s" for number in range(4)]
LOST = [f"Xf6LostHt{number}Mb2nR8kDaC7p" for number in range(2)]
MISPLACED = [f"Yg1MisplacedUs{number}Fe5jW4oQiV9l" for number in range(20)]
CARDS = [*SOLD, *UNSOLD, *LOST, *MISPLACED]
STAFF_PAGES = (
    "/v1/orders", "/v1/products", "/v1/notifications", "/v1/deliveries/handovers", "/v1/risk/cases", "/v1/risk/lists",
    "/v1/ledger/trial-balance", "/v1/staff", "/readyz", "/metrics", "/openapi.json", "/",
)  # fmt: skip


@dataclass
class Traces:
    """All that the platform left behind: files, what it printed, and every answer but the buyers' own deliveries."""

    market: ServedMarket
    answers: list[bytes] = field(default_factory=list)
    own: list[bytes] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def keep_files(self, when: str) -> None:
        """The folder as it is now, but for the secrets themselves."""
        for path in self.market.platform.var.rglob("*"):
            if path.is_file() and path.parent.name != "secrets":
                self.files[f"{path.relative_to(self.market.platform.var)} {when}"] = path.read_bytes()

    def keep(self, response: httpx.Response) -> httpx.Response:
        self.answers.append(str(response.headers).encode() + response.content)
        return response

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """Each place by name, and all its bytes."""
        yield from self.files.items()
        yield "printed", self.market.platform.printed().encode()
        for number, answer in enumerate(self.answers):
            yield f"answer {number}", answer


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traces]:
    with open_market(tmp_path_factory.mktemp("secrets")) as market:
        traces = Traces(market)
        market.run(_live(traces, tmp_path_factory.mktemp("files")))
        market.platform.stop()
        traces.keep_files("at rest")
        assert {f"{service.name}.sqlite3-wal at work" for service in SERVICES} <= traces.files.keys()
        yield traces


async def _live(traces: Traces, files: Path) -> None:
    """Import keys rightly and wrongly, sell some, replace one, and fail to open others."""
    market = traces.market
    products = [(sku, sku.title(), "10.00", "card-key", "keys", "", "CNY") for sku in (CARD, DOOMED)]
    await market.load("products", PRODUCT_COLUMNS, products)
    cards = [(CARD, key) for key in (*SOLD, *UNSOLD)]
    lost = [(DOOMED, key) for key in LOST]
    book = xlsx(files / "keys.xlsx", [KEY_COLUMNS, *cards]).read_bytes()
    for dry_run in ("true", "false", "false"):
        traces.keep(await market.upload("keys", "keys.xlsx", book, dry_run=dry_run))
    traces.keep(await market.upload("keys", "lost.csv", csv_bytes(KEY_COLUMNS, lost)))
    await _misplace(traces, files)

    (buyer,) = await market.customers(1, 100_000)
    traces.tokens.append(buyer.http.headers["Authorization"].removeprefix("Bearer "))
    traces.tokens += [one.headers["Authorization"].removeprefix("Bearer ") for one in market.staff.values()]
    orders = [await _buy(traces, buyer, CARD, len(SOLD) - 1), await _replaced(traces, buyer)]

    # With other secrets, what was sealed before can't be opened any more: neither keys in stock nor sold ones.
    await asyncio.to_thread(market.platform.stop)
    for name in (SEALING, LOOKUP):
        secret = market.platform.var / "secrets" / name
        secret.rename(secret.with_name(f"former-{name}"))
        secret.write_bytes(os.urandom(32))
    await asyncio.to_thread(market.platform.start)
    order = await buyer.place([{"sku": DOOMED, "quantity": 2}], email="buyer@example.org")
    orders.append(order["order_id"])
    await buyer.ended(order["order_id"])
    await market.settled()
    await _look_everywhere(traces, buyer, orders)
    traces.keep_files("at work")


async def _misplace(traces: Traces, files: Path) -> None:
    """Files with keys where none belong: as headers, SKUs, file names, mappings, numbers, in broken files."""
    market, keys = traces.market, iter(MISPLACED)
    key = keys.__next__
    bad = [
        ("keys.csv", csv_bytes((CARD, key()), [(CARD, key())])),
        ("keys.csv", csv_bytes(KEY_COLUMNS, [(key(), CARD)])),
        ("keys.csv", csv_bytes(("sku", "key", "cost", "expires"), [(CARD, "spare-1", key(), key())])),
        ("keys.csv", csv_bytes(KEY_COLUMNS, [(CARD, f"={key()}"), (f"@{key()}", "spare-2")])),
        ("keys.csv", csv_bytes(KEY_COLUMNS, [(CARD, f"{key()}\nnext line")])),
        ("keys.csv", csv_bytes(KEY_COLUMNS, [(CARD, "spare-3", key())])),
        ("keys.csv", f'sku,key\n{CARD},"{key()}'.encode()),
        ("keys.csv", f"sku,key\n{CARD},{key()}\0".encode()),
        (f"{key()}.pdf", b"nothing"),
        ("keys.xlsx", csv_bytes(KEY_COLUMNS, [(CARD, key())])),
        ("keys.xlsx", xlsx(files / "cut.xlsx", [KEY_COLUMNS, (CARD, key())]).read_bytes()[:-40]),
        ("keys.xlsx", xlsx(files / "formula.xlsx", [KEY_COLUMNS, (CARD, f'="{key()}"')]).read_bytes()),
    ]
    for name, content in bad:
        response = traces.keep(await market.upload("keys", name, content))
        body = response.json()
        assert response.status_code == 422 or body["broken"] or body["counts"].keys() & {"bad", "refused"}, body
    columns = (*PRODUCT_COLUMNS, "tiers")
    product = ("BAD", "Bad", "1.00", key(), "keys", "", "CNY", key())
    traces.keep(await market.upload("products", "products.csv", csv_bytes(columns, [product])))
    mapping = json.dumps({"key": key(), "sku": "sku"})
    traces.keep(await market.upload("keys", "keys.csv", csv_bytes(KEY_COLUMNS, [(CARD, "spare-4")]), mapping=mapping))


async def _buy(traces: Traces, buyer: Buyer, sku: str, quantity: int) -> str:
    """Place an order, see its keys, and give its id."""
    order = await buyer.place([{"sku": sku, "quantity": quantity}], email="buyer@example.org")
    await buyer.ended(order["order_id"], "completed")
    await _see(traces, buyer, order["order_id"])
    return order["order_id"]


async def _see(traces: Traces, buyer: Buyer, order_id: str) -> Answer:
    headers = {"Order-Secret": buyer.secrets[order_id]}
    response = await buyer.http.get(f"/v1/orders/{order_id}/deliveries", headers=headers)
    traces.own.append(response.content)
    return answer_of(response)


async def _replaced(traces: Traces, buyer: Buyer) -> str:
    """A key that does not work, and the fresh one in its place."""
    order_id = await _buy(traces, buyer, CARD, 1)
    first = (await _see(traces, buyer, order_id))["items"][0]["keys"][0]
    body = {"line": 1, "number": first["number"], "reason": "used before"}
    support = traces.market.staff["support"]
    answer_of(traces.keep(await support.post(f"/v1/orders/{order_id}/replacements", json=body)), 202)

    async def replaced() -> Answer | None:
        items = (await _see(traces, buyer, order_id))["items"]
        return items[1] if len(items) == 2 and items[1].get("keys") else None

    await until("the replacement", replaced)
    return order_id


async def _look_everywhere(traces: Traces, buyer: Buyer, orders: list[str]) -> None:
    """Every page that staff can read, every event, and what buyers see beside their deliveries."""
    broken = traces.keep(await buyer.http.get(f"/v1/orders/{orders[0]}/deliveries"))
    assert (broken.status_code, broken.json()["code"]) == (500, "cannot-open")
    admin = traces.market.staff["administrator"]
    for service in SERVICES:
        after = "0"
        for _ in count():
            params = {"source": service.name, "after": after, "limit": "1000"}
            page = answer_of(traces.keep(await admin.get("/v1/events", params=params)))
            if not page["items"]:
                break
            after = page["next"]
    for path in (*STAFF_PAGES, *(f"/v1/orders/{order}{part}" for order in orders for part in _PARTS)):
        traces.keep(await admin.get(path))
    for order in orders:
        for part in ("", "/history"):
            traces.keep(await buyer.http.get(f"/v1/orders/{order}{part}"))
        traces.keep(await httpx.AsyncClient(base_url=traces.market.address).get(f"/v1/orders/{order}/deliveries"))


_PARTS = ("", "/history", "/deliveries")


def _disguises(text: str) -> dict[str, bytes]:
    """A text as it might be found again."""
    raw = text.encode()
    return {
        "plain": raw,
        "utf-16": text.encode("utf-16-le"),
        "utf-16, swapped": text.encode("utf-16-be"),
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "HEX": b16encode(raw),
        "base32": b32encode(raw).rstrip(b"=")[:-2],
        **{f"base64 at {shift}": _inner(b64encode(bytes(shift) + raw), shift) for shift in range(3)},
        **{f"url base64 at {shift}": _inner(urlsafe_b64encode(bytes(shift) + raw), shift) for shift in range(3)},
    }


def _inner(encoded: bytes, shift: int) -> bytes:
    """The part of a base64 text that does not depend on what stands before and behind."""
    return encoded.rstrip(b"=")[0 if shift == 0 else 4 : -4]


def _found(traces: Traces, text: str) -> list[str]:
    disguises = _disguises(text)
    return [
        f"{place}: {how}"
        for place, content in traces.everything()
        for how, disguise in disguises.items()
        if disguise in content
    ]


def test_the_search_would_find_a_key_in_any_disguise() -> None:
    for text in (SOLD[0], MISPLACED[3]):
        disguises = _disguises(text)
        assert disguises["base64 at 1"] in b64encode(b"?" + text.encode() + b"!!")
        assert disguises["base64 at 2"] in b64encode(b"??" + text.encode() + b"!")
        assert disguises["base64 at 0"] in b64encode(text.encode() + b"more")
        assert all(len(disguise) > 20 for disguise in disguises.values())


def test_sold_keys_were_seen_by_their_buyer(traces: Traces) -> None:
    seen = b"".join(traces.own)
    assert sum(key.encode() in seen for key in (*SOLD, *UNSOLD)) == len(SOLD) + 1
    assert not any(key.encode() in seen for key in (*LOST, *MISPLACED))


def test_the_keys_that_could_not_be_opened_were_not_delivered(traces: Traces) -> None:
    (failed,) = traces.market.platform.events("fulfillment", DeliveryFailed)
    assert failed.sku == DOOMED


@pytest.mark.parametrize("key", CARDS)
def test_a_key_is_nowhere_in_the_clear(traces: Traces, key: str) -> None:
    assert _found(traces, key) == []


def test_the_administrators_password_is_printed_once_and_kept_nowhere(traces: Traces) -> None:
    (password,) = PASSWORD.findall(traces.market.platform.printed())
    assert _found(traces, password) == ["printed: plain"]


def test_tokens_are_kept_nowhere(traces: Traces) -> None:
    assert len(traces.tokens) == 5
    for token in traces.tokens:
        for part in token.split("."):
            assert _found(traces, part) == []


def test_secrets_stay_in_their_files(traces: Traces) -> None:
    secrets = [path for path in (traces.market.platform.var / "secrets").iterdir() if path.is_file()]
    assert len(secrets) > 6
    for path in secrets:
        raw: Any = path.read_bytes()
        forms = (raw, raw.hex().encode(), b64encode(raw).rstrip(b"="), urlsafe_b64encode(raw).rstrip(b"="))
        for place, content in traces.everything():
            assert not any(form in content for form in forms), (path.name, place)
        assert path.stat().st_mode & 0o077 == 0
