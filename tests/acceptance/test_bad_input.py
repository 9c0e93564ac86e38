"""Whatever is wrong with a request gets a clear answer, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, time
from typing import Any
from urllib.parse import quote
from uuid import uuid4
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest

from sandboxes.running import CHANNEL
from services.demo.shop import Answer, Buyer, answer_of, until
from services.gateway.auth import Principal, issue
from shared.contracts.ledger import CallbackRefused, PaymentOpened, PaymentReceived
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from tests.acceptance.market import PRODUCT_COLUMNS, Market, open_market
from tests.gateway.imports.builders import raw_xlsx, sheet_xml, xlsx

MEGABYTES = 10 * 1024 * 1024
CARD, DOLLARS, TOP_UP = "CARD", "CARD-USD", "TOP-UP"
WISH = {"sku": CARD, "quantity": 1}


@dataclass
class Shop:
    """A market where nothing moves: a finished order, one that waits for its payment, two customers."""

    market: Market
    alice: Buyer
    bob: Buyer
    guest: Buyer
    done: str
    waiting: str
    bought: str

    def who(self, name: str) -> httpx.AsyncClient:
        people = {"alice": self.alice.http, "bob": self.bob.http, "guest": self.guest.http}
        return people.get(name) or self.market.staff[name]

    def ask(self, who: str, method: str, path: str, **told: Any) -> httpx.Response:
        path = path.format(done=self.done, waiting=self.waiting, alice=self.alice.customer)
        return self.market.run(self.who(who).request(method, path, **told))

    def place(self, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
        """Send alice's order as these bytes."""
        whole = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json", **headers}
        return self.ask("alice", "POST", "/v1/orders", content=content, headers=whole)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_market(tmp_path_factory.mktemp("shop")) as market:
        yield market.run(_opened(market))


async def _opened(market: Market) -> Shop:
    await market.stock({CARD: [f"C-{number}" for number in range(40)]})
    rows = [
        (DOLLARS, "Dollars", "3.00", "card-key", "keys", "", "USD"),
        (TOP_UP, "Top-up", "10.00", "top-up", "supplier", "beta", "CNY"),
    ]
    await market.load("products", PRODUCT_COLUMNS, rows)
    alice, bob = await market.customers(2, 100_000)
    guest = await market.builder.guest(99)
    done = (await alice.place([WISH]))["order_id"]
    bought = (await alice.place([{"sku": TOP_UP, "quantity": 1, "target": "ok:13800000000"}]))["order_id"]
    for order_id in (done, bought):
        await alice.ended(order_id, "completed")
    waiting = (await guest.place([WISH], payment=CHANNEL))["order_id"]
    await guest.pay_link(waiting)
    await market.settled(waiting)
    return Shop(market, alice, bob, guest, done, waiting, bought)


@pytest.fixture
def unchanged(shop: Shop) -> Iterator[None]:
    """The logs of all services end where they ended before."""
    before = shop.market.heads()
    yield
    assert shop.market.heads() == before


def problem(response: httpx.Response, *statuses: int) -> Answer:
    """A refusal in the one form that every refusal has."""
    assert response.status_code in (statuses or (400, 422)), response.text
    assert response.headers["Content-Type"] == "application/problem+json", response.text
    told = response.json()
    assert told["status"] == response.status_code
    assert told["type"] == f"urn:kameng:problem:{told['code']}"
    assert told["title"]
    assert told["detail"]
    return told


def _order(**more: Any) -> dict[str, Any]:
    return {"wishes": [WISH], **more}


def _wish(**more: Any) -> dict[str, Any]:
    return {"wishes": [{**WISH, **more}]}


QUANTITIES = (
    "-1",
    "0",
    "10001",
    "1000000000000000000000",
    "1.5",
    "1.0",
    '"1"',
    "true",
    "null",
    "[1]",
    "{}",
    "NaN",
    "1e999",
)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_quantity_is_a_positive_whole_number(shop: Shop, quantity: str) -> None:
    problem(shop.place(f'{{"wishes": [{{"sku": "{CARD}", "quantity": {quantity}}}]}}'.encode()))


ORDERS = [
    _wish(price=1),
    _wish(unit_price={"amount": 1, "currency": "CNY"}),
    _wish(amount=1),
    _order(total=1),
    _order(total={"amount": 1, "currency": "CNY"}),
    _order(lines=[]),
    _order(buyer_key="x"),
    _order(expected_total={"amount": -1000}),
    _order(expected_total={"amount": 1000.0}),
    _order(expected_total={"amount": 1000, "currency": "cny"}),
    _order(expected_total=1000),
    _wish(sku=5),
    _wish(sku=""),
    _wish(sku=None),
    _wish(sku="x" * 81),
    _wish(sku="a b"),
    _wish(sku="'; DROP TABLE orders; --"),
    _wish(target=5),
    _wish(target="a\x00b"),
    _wish(target="x" * 201),
    {"wishes": [{"sku": TOP_UP, "quantity": 1}]},
    {"wishes": []},
    {"wishes": {}},
    {"wishes": "CARD"},
    {"wishes": None},
    {"wishes": [WISH] * 101},
    {},
    [],
    None,
    5,
    _order(payment=5),
    _order(payment="no-such-channel"),
    _order(locale="fr"),
    _order(email="not an address"),
    _order(email="a@b\r\nBcc: c@d"),
    _order(agent="customer-000"),
    _order(sales_channel="<script>"),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", ORDERS, ids=lambda body: json.dumps(body)[:60])
def test_an_order_says_what_to_buy_and_nothing_else(shop: Shop, body: Any) -> None:
    problem(shop.place(json.dumps(body).encode()))


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (_wish(sku="NO-SUCH"), "unknown-sku"),
        ({"wishes": [WISH, {"sku": DOLLARS, "quantity": 1}]}, "mixed-currency"),
        (_order(expected_total={"amount": 999}), "price-changed"),
        (_order(customer="somebody-else"), "forbidden"),
    ],
)
def test_an_order_that_can_not_be_is_refused(shop: Shop, body: Any, code: str) -> None:
    assert problem(shop.place(json.dumps(body).encode()), 403, 404, 409, 422)["code"] == code


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("key", [None, "", "a b", "x" * 201, "ключ".encode().decode("latin-1")])
def test_an_order_needs_an_idempotency_key(shop: Shop, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
    problem(shop.ask("alice", "POST", "/v1/orders", json=_order(), headers=headers))


def test_a_key_is_for_one_request(shop: Shop) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first = answer_of(shop.ask("alice", "POST", "/v1/orders", json=_order(), headers=headers), 201)
    shop.market.run(shop.alice.http.get("/healthz"))
    shop.market.run(_ended(shop, first["order_id"]))
    before = shop.market.heads()

    told = problem(shop.ask("alice", "POST", "/v1/orders", json=_wish(quantity=2), headers=headers), 409)

    assert told["code"] in ("idempotency-conflict", "order-exists")
    assert shop.market.heads() == before


async def _ended(shop: Shop, order_id: str) -> None:
    async def look() -> Answer | None:
        order = answer_of(await shop.alice.http.get(f"/v1/orders/{order_id}"))
        return order if order["status"] == "completed" else None

    await until("the order to end", look)
    await shop.market.settled(shop.waiting)


BROKEN = {
    "empty": b"",
    "cut": b'{"wishes": [',
    "no JSON": b"sku=CARD",
    "two values": b"{} {}",
    "deep": b"[" * 200_000,
    "deep in a member": b'{"wishes": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "not UTF-8": b'{"wishes": [{"sku": "\xff\xfe", "quantity": 1}]}',
    "half a character": b'{"wishes": [{"sku": "\\ud800", "quantity": 1}]}',
    "half a character in an address": b'{"wishes": [{"sku": "CARD", "quantity": 1, "target": "\\ud800"}]}',
    "long number": b'{"wishes": [{"sku": "CARD", "quantity": ' + b"9" * 100_000 + b"}]}",
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_json_is_refused(shop: Shop, content: bytes) -> None:
    problem(shop.place(content))


@pytest.mark.usefixtures("unchanged")
def test_another_type_of_content_is_refused(shop: Shop) -> None:
    problem(shop.place(b"wishes=1", **{"Content-Type": "application/x-www-form-urlencoded"}), 415, 422)


async def _in_pieces() -> AsyncIterator[bytes]:
    yield b'{"wishes": "'
    for _ in range(MEGABYTES // 65_536):
        yield b"x" * 65_536
    yield b'"}'


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("content", [lambda: b" " * MEGABYTES, _in_pieces], ids=["with its length", "in pieces"])
def test_a_large_request_is_broken_off(shop: Shop, content: Callable[[], bytes | AsyncIterator[bytes]]) -> None:
    assert problem(shop.place(content()), 413)["code"] == "too-large"


# Who may do what


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("who", "method", "path", "status"),
    [
        ("guest", "GET", "/v1/orders", 401),
        ("guest", "GET", "/v1/events", 401),
        ("guest", "POST", "/v1/imports/products", 401),
        ("alice", "GET", "/v1/events", 403),
        ("alice", "GET", "/v1/notifications", 403),
        ("alice", "GET", "/v1/ledger/trial-balance", 403),
        ("alice", "POST", "/v1/orders/{done}/refunds", 403),
        ("alice", "POST", "/v1/orders/{done}/replacements", 403),
        ("alice", "POST", "/v1/risk/cases/{done}/decision", 403),
        ("alice", "POST", "/v1/staff", 403),
        ("operations", "POST", "/v1/orders/{done}/refunds", 403),
        ("operations", "POST", "/v1/ledger/entries", 403),
        ("support", "GET", "/v1/events", 403),
        ("support", "POST", "/v1/imports/keys", 403),
        ("support", "PATCH", "/v1/products/CARD", 403),
        ("finance", "POST", "/v1/orders/{done}/replacements", 403),
        ("finance", "DELETE", "/v1/staff/admin", 403),
        ("administrator", "DELETE", "/v1/staff/admin", 409),
    ],
)
def test_a_role_does_only_what_is_its_own(shop: Shop, who: str, method: str, path: str, status: int) -> None:
    problem(shop.ask(who, method, path), status)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("who", ["bob", "guest"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/orders/{done}"),
        ("GET", "/v1/orders/{done}/history"),
        ("GET", "/v1/orders/{done}/deliveries"),
        ("POST", "/v1/orders/{done}/cancel"),
        ("GET", "/v1/payments/{done}"),
    ],
)
def test_anothers_order_is_not_there(shop: Shop, who: str, method: str, path: str) -> None:
    told = {} if method == "GET" else {"json": {}}
    problem(shop.ask(who, method, path, **told), 404)
    problem(shop.ask(who, method, path, headers={"Order-Secret": "x" * 43}, **told), 404, 429)


@pytest.mark.usefixtures("unchanged")
def test_anothers_wallet_is_not_there(shop: Shop) -> None:
    problem(shop.ask("bob", "GET", "/v1/wallets/{alice}"), 404)
    body = {"amount": {"amount": 100}, "channel": CHANNEL}
    problem(shop.ask("bob", "POST", "/v1/wallets/{alice}/deposits", json=body), 404)


def _token(shop: Shop, principal: Principal, hours: float = 0, secret: bytes = b"") -> str:
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return issue(secret or shop.market.secrets.get("tokens"), principal, moment)[0]


def _altered(token: str) -> str:
    other = "A" if token[-6] != "A" else "B"
    return token[:-6] + other + token[-5:]


ADMIN = Principal("staff", "admin", "administrator")
TOKENS: dict[str, Callable[[Shop], str]] = {
    "over": lambda shop: f"Bearer {_token(shop, ADMIN, hours=12.01)}",
    "altered": lambda shop: f"Bearer {_altered(_token(shop, ADMIN))}",
    "of another secret": lambda shop: f"Bearer {_token(shop, ADMIN, secret=b'x' * 32)}",
    "unsigned": lambda shop: f"Bearer {_token(shop, ADMIN).partition('.')[0]}.",
    "another's signature": lambda shop: (
        f"Bearer {_token(shop, ADMIN).partition('.')[0]}.{_token(shop, Principal('customer', 'c')).partition('.')[2]}"
    ),
    "of somebody who is not on the staff": lambda shop: (
        f"Bearer {_token(shop, Principal('staff', 'nobody', 'administrator'))}"
    ),
    "of another role": lambda shop: f"Bearer {_token(shop, Principal('staff', 'demo-support', 'administrator'))}",
    "nothing": lambda shop: "Bearer",
    "a password": lambda shop: "Basic YWRtaW46YWRtaW4=",
    "a dot": lambda shop: "Bearer .",
    "not ASCII": lambda shop: "Bearer \xff\xfe.\xff",
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_that_does_not_hold_is_refused(shop: Shop, token: Callable[[Shop], str]) -> None:
    headers = {"Authorization": token(shop).encode("latin-1")}
    told = problem(shop.ask("guest", "GET", "/v1/events", headers=headers), 401)
    assert told["code"] == "bad-token"


# What channels and suppliers tell


def _callback(shop: Shop, **changes: Any) -> dict[str, Any]:
    """A true callback of the payment that is waited for, but for the changes."""
    (opened,) = [one for one in shop.market.events("ledger", PaymentOpened) if one.payment_id == shop.waiting]
    told = {"callback_id": str(uuid4()), "payment_id": shop.waiting, "channel_ref": opened.channel_ref}
    return {**told, "amount": 1_000, "currency": "CNY", "status": "paid", **changes}


def _call_back(
    shop: Shop, partner: str, body: bytes, *, age: float = 0, secret: bytes = b"", signed: bytes | None = None
) -> httpx.Response:
    kind, name = partner.split("/")
    moment = int(time() - age)
    secret = secret or shop.market.secrets.get(f"{kind}-{name}")
    headers = {
        TIMESTAMP_HEADER: str(moment),
        SIGNATURE_HEADER: sign(secret, moment, body if signed is None else signed),
        "Content-Type": "application/json",
    }
    path = "payments" if kind == "channel" else "suppliers"
    return shop.ask("guest", "POST", f"/v1/{path}/callbacks/{name}", content=body, headers=headers)


def _nothing_but_refusals(shop: Shop, before: dict[str, int]) -> list[str]:
    """The reasons of the callbacks refused since; nothing else may have happened."""
    after = shop.market.heads()
    assert {**after, "ledger": 0} == {**before, "ledger": 0}
    new = after["ledger"] - before["ledger"]
    refused = shop.market.events("ledger", CallbackRefused)[-new:] if new else []
    assert len(refused) == new
    return [event.reason for event in refused]


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ({"secret": b"x" * 32}, 401, "bad-signature"),
        ({"age": 3_600}, 401, "bad-signature"),
        ({"age": -3_600}, 401, "bad-signature"),
        ({"signed": b""}, 401, "bad-signature"),
        ({"amount": 1}, 422, "wrong-amount"),
        ({"amount": 1_000_000}, 422, "wrong-amount"),
        ({"currency": "USD"}, 422, "wrong-amount"),
        ({"payment_id": "no-such-payment"}, 404, "unknown-payment"),
        ({"channel_ref": "another"}, 409, "wrong-reference"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_callback_that_does_not_fit_moves_no_money(shop: Shop, how: dict[str, Any], status: int, reason: str) -> None:
    signing = {name: value for name, value in how.items() if name in ("secret", "age", "signed")}
    body = json.dumps(_callback(shop, **{name: how[name] for name in how.keys() - signing.keys()})).encode()
    before = shop.market.heads()

    problem(_call_back(shop, f"channel/{CHANNEL}", body, **signing), status)

    assert _nothing_but_refusals(shop, before) == [reason]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 100_000, b"\xff", b'{"amount": -1}'])
def test_a_callback_that_can_not_be_read_is_refused(shop: Shop, body: bytes) -> None:
    problem(_call_back(shop, f"channel/{CHANNEL}", body), 422)
    problem(_call_back(shop, f"channel/{CHANNEL}", body, secret=b"x" * 32), 401)
    problem(_call_back(shop, "supplier/beta", body), 422)


@pytest.mark.usefixtures("unchanged")
def test_a_callback_without_a_known_partner_or_signature_is_refused(shop: Shop) -> None:
    body = json.dumps(_callback(shop)).encode()
    problem(_call_back(shop, "channel/no-such", body, secret=b"x" * 32), 404)
    problem(_call_back(shop, "supplier/no-such", body, secret=b"x" * 32), 404)
    problem(shop.ask("guest", "POST", "/v1/suppliers/callbacks/beta", content=b"{}"), 401)
    for moment in ("", "x", "-1", "9" * 30, "١٢٣".encode().decode("latin-1")):
        headers = {TIMESTAMP_HEADER: moment.encode("latin-1"), SIGNATURE_HEADER: b"v1=00"}
        problem(shop.ask("guest", "POST", "/v1/suppliers/callbacks/beta", content=body, headers=headers), 401)


@pytest.mark.usefixtures("unchanged")
def test_a_suppliers_callback_is_believed_with_its_own_signature_only(shop: Shop) -> None:
    report = {"request_id": f"{shop.bought}/1#beta", "outcome": "failed", "reason": "changed our mind"}
    body = json.dumps(report).encode()
    problem(_call_back(shop, "supplier/beta", body, secret=b"x" * 32), 401)
    problem(_call_back(shop, "supplier/beta", body, secret=shop.market.secrets.get(f"channel-{CHANNEL}")), 401)
    assert problem(_call_back(shop, "supplier/alpha", body), 422)["code"] == "wrong-supplier"
    answer_of(_call_back(shop, "supplier/beta", body))  # true, but the line is delivered long since


def test_a_callback_again_pays_once(shop: Shop) -> None:
    market = shop.market
    guest = market.run(market.builder.guest(77))
    order_id = market.run(guest.place([WISH], payment=CHANNEL))["order_id"]
    market.run(guest.pay_link(order_id))
    market.run(market.builder.channel.pay(order_id))
    market.run(guest.ended(order_id, "completed"))
    market.run(market.settled(shop.waiting))
    (paid,) = [one for one in market.events("ledger", PaymentReceived) if one.payment_id == order_id]
    fields = {"payment_id": order_id, "channel_ref": paid.channel_ref}
    before = market.heads()

    same = json.dumps(_callback(shop, callback_id=paid.callback_id, **fields)).encode()
    assert answer_of(_call_back(shop, f"channel/{CHANNEL}", same))["outcome"] == "already-received"
    assert _nothing_but_refusals(shop, before) == []
    stolen = json.dumps(_callback(shop, callback_id=paid.callback_id, channel_ref=paid.channel_ref)).encode()
    problem(_call_back(shop, f"channel/{CHANNEL}", stolen), 409)
    assert _nothing_but_refusals(shop, before) == ["wrong-reference"]


# Spreadsheets


def _bomb(folder: Path) -> bytes:
    path = folder / "bomb.xlsx"
    with ZipFile(path, "w", ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", b"0" * 300_000_000)
    return path.read_bytes()


def _entities(folder: Path) -> bytes:
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    before = f'<!DOCTYPE worksheet [<!ENTITY e0 "lol">{layers}]>'
    body = '<row r="2"><c r="A2" t="inlineStr"><is><t>&e9;</t></is></c></row>'
    return raw_xlsx(folder / "entities.xlsx", sheet_xml(body, before)).read_bytes()


def _outside(folder: Path) -> bytes:
    before = '<!DOCTYPE worksheet [<!ENTITY file SYSTEM "file:///etc/passwd">]>'
    body = '<row r="2"><c r="A2" t="inlineStr"><is><t>&file;</t></is></c></row>'
    return raw_xlsx(folder / "outside.xlsx", sheet_xml(body, before)).read_bytes()


def _good(folder: Path) -> bytes:
    return xlsx(folder / "good.xlsx", [("sku", "key"), (CARD, "NEW-KEY-1")]).read_bytes()


FILES: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "zip bomb": ("keys.xlsx", _bomb, "zip-bomb"),
    "entity bomb": ("keys.xlsx", _entities, ""),
    "entity of a file": ("keys.xlsx", _outside, ""),
    "truncated": ("keys.xlsx", lambda folder: _good(folder)[:-30], "damaged-file"),
    "half": ("keys.xlsx", lambda folder: _good(folder)[: len(_good(folder)) // 2], "damaged-file"),
    "a workbook named csv": ("keys.csv", _good, "not-text"),
    "a table named xlsx": ("keys.xlsx", lambda folder: b"sku,key\nCARD,NEW-KEY-2\n", "not-a-workbook"),
    "another ending": ("keys.exe", _good, "unknown-format"),
    "no ending": ("keys", _good, "unknown-format"),
    "empty": ("keys.csv", lambda folder: b"", "empty-file"),
    "empty workbook": ("keys.xlsx", lambda folder: xlsx(folder / "empty.xlsx", []).read_bytes(), "empty-file"),
    "not a workbook": ("keys.xlsx", lambda folder: b"PK\x03\x04" + bytes(1_000), "damaged-file"),
    "neither UTF-8 nor GBK": ("keys.csv", lambda folder: b"sku,key\n\xff\xff\xff,1\n", "unknown-encoding"),
    "no such columns": ("keys.csv", lambda folder: b"a,b\nCARD,NEW-KEY-3\n", "missing-column"),
    "columns alike": ("keys.csv", lambda folder: b"sku,key,key\nCARD,NEW-KEY-4,x\n", "duplicate-header"),
    "formula as a header": ("keys.csv", lambda folder: b"sku,key,=1+1\nCARD,NEW-KEY-5,x\n", "bad-header"),
}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("name", "content", "code"), FILES.values(), ids=FILES)
def test_a_hostile_file_is_refused(
    shop: Shop, tmp_path: Path, name: str, content: Callable[[Path], bytes], code: str
) -> None:
    sent, started = content(tmp_path), perf_counter()
    told = problem(shop.market.run(shop.market.upload("keys", name, sent)), 422)
    assert perf_counter() - started < 10
    assert told["code"] == code or not code
    assert "root:" not in told["detail"]


def test_a_million_empty_rows_are_nothing(shop: Shop, tmp_path: Path) -> None:
    rows = "".join(f'<row r="{number}"/>' for number in range(2, 1_000_001))
    content = raw_xlsx(tmp_path / "empty-rows.xlsx", sheet_xml(rows)).read_bytes()
    before, started = shop.market.heads(), perf_counter()

    report = answer_of(shop.market.run(shop.market.upload("keys", "keys.xlsx", content)))

    assert perf_counter() - started < 30
    assert (report["rows"], report["counts"], report["broken"]) == (0, {}, None)
    after = shop.market.heads()
    assert {**after, "gateway": 0} == {**before, "gateway": 0}


def test_formulas_and_bad_cells_are_left_out(shop: Shop, tmp_path: Path) -> None:
    rows = [
        ("sku", "key", "cost"),
        (CARD, '=HYPERLINK("http://evil.example","x")', 1),
        (CARD, "=cmd|' /C calc'!A0", 1),
        ("=1+1", "spare-1", 1),
        (CARD, "@SUM(A1)", 1),
        (CARD, "spare-2", "=1+1"),
        (CARD, "spare-3", -1),
        (CARD, "spare-4", "much"),
        (CARD, 12345678901234567890, 1),
        (CARD, None, 1),
        (None, "spare-5", 1),
    ]
    before = shop.market.heads()
    content = xlsx(tmp_path / "formulas.xlsx", rows).read_bytes()

    report = answer_of(shop.market.run(shop.market.upload("keys", "keys.xlsx", content)))

    assert report["counts"] == {"bad": len(rows) - 1}
    assert [problem["row"] for problem in report["problems"]] == list(range(2, len(rows) + 1))
    after = shop.market.heads()
    assert {**after, "gateway": 0} == {**before, "gateway": 0}


# Texts that want to be code

HOSTILE = [
    "'; DROP TABLE orders; --",
    '" OR ""="',
    "1' UNION SELECT hash FROM credentials --",
    "%' OR '1'='1",
    "{{7*7}}{% for x in ().__class__.__base__.__subclasses__() %}x{% endfor %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "%s%n%x{0}{self.__class__}",
    "../../../../etc/passwd",
    "\\x27 \\u0027 \\",
    "卡密’；删除—😀",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_kept_as_it_is(shop: Shop, text: str) -> None:
    market = shop.market
    row = (f"H-{uuid4()}", text, "1.00", "card-key", "manual", "", "CNY")
    market.run(market.load("products", PRODUCT_COLUMNS, [row]))
    assert answer_of(shop.ask("alice", "GET", f"/v1/products/{row[0]}"))["name"] == text
    found = answer_of(shop.ask("alice", "GET", "/v1/products", params={"name": text}))["items"]
    assert [item["sku"] for item in found] == [row[0]]

    entry = {"list": "block", "dimension": "device", "value": text, "reason": text}
    answer_of(shop.ask("operations", "POST", "/v1/risk/lists", json=entry), 201)
    entries = answer_of(shop.ask("operations", "GET", "/v1/risk/lists", params={"limit": "200"}))["items"]
    assert [item["reason"] for item in entries if item["entry"] == f"device:{text}"] == [text]
    problem(shop.ask("operations", "POST", "/v1/risk/lists", json={**entry, "value": f"{text}\x00"}), 422)

    wishes = [{"sku": TOP_UP, "quantity": 1, "target": text}]
    order = answer_of(
        shop.ask(
            "guest",
            "POST",
            "/v1/orders",
            json={"wishes": wishes, "payment": CHANNEL, "email": "buyer@example.org"},
            headers={"Idempotency-Key": str(uuid4())},
        ),
        201,
    )
    headers = {"Order-Secret": order["secret"]}
    path = f"/v1/orders/{order['order_id']}"
    cancelled = answer_of(shop.ask("guest", "POST", f"{path}/cancel", json={"note": text}, headers=headers))
    assert cancelled["lines"][0]["target"] == text
    history = answer_of(shop.ask("support", "GET", f"{path}/history"))["items"]
    assert any(item["event"] == "OrderCancelled" for item in history)


FILTERS = [
    ("alice", "/v1/products", "name"),
    ("alice", "/v1/products", "kind"),
    ("support", "/v1/orders", "customer"),
    ("support", "/v1/orders", "sku"),
    ("support", "/v1/orders", "status"),
    ("support", "/v1/orders", "cursor"),
    ("support", "/v1/orders", "placed_from"),
    ("support", "/v1/notifications", "order_id"),
    ("operations", "/v1/risk/lists", "name"),
    ("operations", "/v1/risk/cases", "status"),
    ("operations", "/v1/events", "source"),
    ("operations", "/v1/events", "after"),
    ("administrator", "/v1/ledger/accounts/wallet:x/entries", "cursor"),
    ("alice", "/v1/products", "limit"),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(("who", "path", "name"), FILTERS)
def test_a_hostile_filter_finds_nothing(shop: Shop, who: str, path: str, name: str) -> None:
    for text in (*HOSTILE, "\x00", "9" * 400, "-1", "\u202e"):
        if name == "name" and path == "/v1/products":
            text = f"{text}~"  # the texts themselves are names of products here
        response = shop.ask(who, "GET", path, params={name: text})
        if response.status_code != 200:
            problem(response, 422)
        elif name not in ("limit", "after"):
            assert response.json()["items"] == []


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_path_leads_nowhere(shop: Shop, text: str) -> None:
    for who, path in (
        ("support", "/v1/orders/"),
        ("support", "/v1/payments/"),
        ("support", "/v1/wallets/"),
        ("alice", "/v1/products/"),
        ("operations", "/v1/imports/"),
        ("operations", "/v1/events/"),
    ):
        problem(shop.market.run(shop.who(who).get(path + quote(text, safe=""))), 404, 422)


@pytest.mark.parametrize("text", [*HOSTILE, "\x00", "\ud800"])
def test_a_hostile_login_is_a_wrong_one(shop: Shop, text: str) -> None:
    client = shop.market.guest(5_000 + hash(text) % 1_000)
    for body in (
        {"kind": "staff", "login": text, "password": "x"},
        {"kind": "staff", "login": "admin", "password": text},
    ):
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        problem(shop.market.run(client.post("/v1/sessions", content=content, headers=headers)), 401, 422, 429)


def test_everything_still_holds(shop: Shop) -> None:
    shop.market.run(shop.market.settled(shop.waiting))
    assert not shop.market.parked()
    page = answer_of(shop.ask("administrator", "GET", "/v1/ledger/trial-balance"))
    assert set(page["sums"].values()) == {0}
