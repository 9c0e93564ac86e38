"""What a partner says, signed, and nobody can read: it is recorded, shown, and finished by a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.gateway.callbacks import domain
from services.gateway.callbacks.domain import MOST_WAITING, StatementState, decide_statement, evolve_statement
from services.gateway.callbacks.scraps import LONGEST, MOST, scraps_of
from services.gateway.service import SERVICE
from shared.contracts import Command, Decided, DecisionContext, Event, Metadata, Refused
from shared.contracts.gateway import RecordUnread, Scrap, SettleUnread, StatementUnread, UnreadSettled
from shared.contracts.ledger import RecordCallback
from shared.messages.messages import Reply
from tests.gateway.builders import NOW, Shop, open_shop
from tests.gateway.callbacks.test_api import (
    CHANNEL,
    DONE,
    PAID,
    SUPPLIER,
    call,
)
from tests.platform.harness import Harness

RECORD = RecordUnread(
    statement_id="s-1", kind="channel", partner="alipay", faults=("status: what is that?",),
    scraps=(Scrap(name="status", text="refunded"),), size=120,
)  # fmt: skip
SEEN_TO = SettleUnread(statement_id="s-1", note="it was a chargeback")
UNREAD = StatementUnread(**dict(RECORD))
SETTLED = UnreadSettled(statement_id="s-1", kind="channel", partner="alipay", note="it was a chargeback")


def decided(command: Command, *before: Event, waiting: int = 0) -> Decided:
    state = StatementState()
    for event in before:
        state = evolve_statement(state, event)
    return decide_statement(
        command, state, DecisionContext(NOW, "c", Metadata(correlation_id="s", causation_id="c"), waiting)
    )


def test_a_statement_is_recorded_once_also_after_it_was_settled() -> None:
    assert decided(RECORD) == Decided([UNREAD], {"outcome": "recorded"})
    assert decided(RECORD, UNREAD) == Decided(answer={"outcome": "known"})
    assert decided(RECORD, UNREAD, SETTLED) == Decided(answer={"outcome": "known"})


def test_a_person_settles_it_once() -> None:
    assert decided(SEEN_TO, UNREAD) == Decided([SETTLED])
    with pytest.raises(Refused, match="already settled this statement"):
        decided(SEEN_TO, UNREAD, SETTLED)
    with pytest.raises(Refused, match="no unread statement"):
        decided(SEEN_TO)


def test_so_many_of_one_partner_wait_at_most() -> None:
    assert decided(RECORD, waiting=MOST_WAITING - 1).events
    assert decided(RECORD, waiting=MOST_WAITING) == Decided(answer={"outcome": "too-many"})
    assert decided(RECORD, UNREAD, waiting=MOST_WAITING).answer == {"outcome": "known"}


def test_each_partner_has_its_own_room_and_what_is_settled_makes_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain, "MOST_WAITING", 2)
    market = Harness(tmp_path, [SERVICE])

    def tell(number: int, partner: str = "alipay") -> str:
        command = RECORD.model_copy(update={"statement_id": f"s-{number}", "partner": partner})
        return market.send("gateway", command).answer["outcome"]

    assert [tell(number) for number in (1, 2, 3)] == ["recorded", "recorded", "too-many"]
    assert tell(4, "wechat") == "recorded"
    assert market.send("gateway", SEEN_TO).outcome == "accepted"
    assert (tell(3), tell(5)) == ("recorded", "too-many")


def served(folder: Path) -> Shop:
    """A shop whose backend decides about unread statements, as the gateway does."""
    shop = open_shop(folder)
    states: dict[str, StatementState] = {}

    def follow(command: RecordUnread | SettleUnread) -> Sequence[Event]:
        state = states.get(command.statement_id, StatementState())
        events = decide_statement(
            command, state, DecisionContext(NOW, "c", Metadata(correlation_id="s", causation_id="c"), 0)
        ).events
        for event in events:
            states[command.statement_id] = evolve_statement(states.get(command.statement_id, StatementState()), event)
        return events

    shop.backend.then |= {RecordUnread: follow, SettleUnread: follow}
    return shop


def of_channel(**odd: Any) -> bytes:
    return json.dumps({**PAID, **odd}).encode()


ODD: list[tuple[str, bytes, dict[str, str]]] = [
    (CHANNEL, of_channel(status="refunded"), {"payment_id": "p1", "status": "refunded"}),
    (CHANNEL, of_channel(amount=-1000), {"payment_id": "p1", "amount": "-1000"}),
    (CHANNEL, of_channel(amount=10**19), {"amount": f"{10**19}"}),
    (CHANNEL, of_channel(amount=None), {"amount": "null"}),
    (CHANNEL, json.dumps({name: it for name, it in PAID.items() if name != "currency"}).encode(), {"amount": "100"}),
    (CHANNEL, of_channel()[:-1] + b', "amount": 5}', {"amount": "100, 5"}),
    (CHANNEL, b"<xml><amount>1</amount></xml>", {}),
    (CHANNEL, b'{"payment_id": "\\ud800"}', {"payment_id": "\\ud800"}),
    (SUPPLIER, json.dumps({**DONE, "outcome": "partially-done"}).encode(), {"outcome": "partially-done"}),
    (SUPPLIER, json.dumps({**DONE, "cost": {"amount": 1.5}}).encode(), {"cost.amount": "1.5"}),
    (SUPPLIER, json.dumps({**DONE, "request_id": "o1/1#south"}).encode(), {"request_id": "o1/1#south"}),
]


@pytest.mark.parametrize(("path", "body", "scraps"), ODD)
def test_what_can_not_be_read_waits_for_a_person(
    tmp_path: Path, path: str, body: bytes, scraps: dict[str, str]
) -> None:
    shop, secret = served(tmp_path), "channel-alipay" if path == CHANNEL else "supplier-north"
    finance, unread_of = shop.staff("finance"), path.rpartition("/callbacks")[0] + "/unread"

    assert [call(shop, path, body, secret).status_code for _ in range(2)] == [422, 422]

    (waiting,) = shop.client.get(unread_of, headers=finance).json()["items"]
    texts: dict[str, str] = {}
    for scrap in waiting["scraps"]:
        texts[scrap["name"]] = ", ".join(filter(None, (texts.get(scrap["name"]), scrap["text"])))
    assert {name: texts.get(name) for name in scraps} == scraps
    assert waiting["faults"]
    assert (waiting["status"], waiting["size"]) == ("open", len(body))
    assert shop.backend.sent[-1].meta.actor == secret.replace("-", ":")
    settlement = f"{unread_of}/{waiting['statement_id']}/settlement"
    settled = shop.client.post(settlement, json={"note": "they corrected it"}, headers=finance)
    assert (settled.json()["status"], settled.json()["note"]) == ("settled", "they corrected it")
    assert shop.client.get(unread_of, headers=finance).json()["items"] == []
    assert shop.client.get(f"{unread_of}?status=settled", headers=finance).json()["items"] == [settled.json()]


def test_neither_body_nor_goods_nor_reasons_are_kept(tmp_path: Path) -> None:
    shop = served(tmp_path)
    body = {
        **DONE,
        "outcome": "CARD-0001 " * 20,
        "goods": ["CARD-0002"],
        "reason": "for ann@example.com",
        "x": "CARD-3",
    }

    answer = call(shop, SUPPLIER, body, "supplier-north")

    kept = shop.backend.last.model_dump_json()
    assert answer.status_code == 422
    assert not [text for text in ("CARD-0002", "ann@", "CARD-3") if text in kept or text in answer.text]
    assert all(len(scrap.text) <= LONGEST + 1 for scrap in shop.backend.last.scraps)


def test_a_body_can_not_be_guessed_from_its_id(tmp_path: Path) -> None:
    """The same body has another id with another secret."""
    ids = set[str]()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        shop = served(folder)
        call(shop, SUPPLIER, b"CARD-0001", "supplier-north")
        ids.add(shop.backend.last.statement_id)
    assert len(ids) == 2


def test_a_forgery_that_can_not_be_read_is_not_recorded(tmp_path: Path) -> None:
    shop = served(tmp_path)
    assert call(shop, CHANNEL, of_channel(status="refunded"), "supplier-north").status_code == 401
    assert shop.backend.sent == []


def test_a_partner_with_too_many_is_asked_to_come_again(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    shop.backend.answers[RecordUnread] = Reply("accepted", "gateway", 1, {"outcome": "too-many"})

    answer = call(shop, CHANNEL, b"{}", "channel-alipay")

    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-unread")
    assert int(answer.headers["Retry-After"]) >= 600
    assert call(shop, CHANNEL, PAID, "channel-alipay").status_code == 200
    assert isinstance(shop.backend.last, RecordCallback)


def test_one_kinds_people_do_not_settle_the_others(tmp_path: Path) -> None:
    shop = served(tmp_path)
    call(shop, CHANNEL, b"{}", "channel-alipay")
    path = f"/v1/suppliers/unread/{shop.backend.last.statement_id}/settlement"

    assert shop.client.post(path, json={"note": "n"}, headers=shop.staff("operations")).status_code == 404
    assert shop.client.get("/v1/suppliers/unread", headers=shop.staff("operations")).json()["items"] == []


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000, b'"text"', b"[{}]", b"null", b"NaN"])
def test_of_no_object_there_are_no_scraps(body: bytes) -> None:
    assert scraps_of("channel", body) == ()


def test_scraps_are_few_and_short_and_can_be_printed() -> None:
    body = "{" + ", ".join(['"amount": ' + "9" * 5_000] * 30) + "}"
    assert [len(scrap.text) for scrap in scraps_of("channel", body.encode())] == [LONGEST + 1] * MOST
    (scrap,) = scraps_of("channel", json.dumps({"status": "\u202epaid\x00"}).encode())
    assert scrap.text == "\\u202epaid\\x00"
