"""The ledger's client against the sandbox channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from sandboxes.channel import create_channel
from services.ledger.adapters import Adapters
from services.ledger.adapters.channel import Channel, ChannelRefused, ChannelUnavailable, ChannelUnread
from services.ledger.adapters.effects import ASKED_TIMES, EFFECTS, NotYetPaid, NotYetReturned
from shared.contracts import Money
from shared.contracts.ledger import RecordCallback, RecordPaymentOpening, RecordReturn
from shared.runtime.clock import Clock
from shared.runtime.service import EffectFailed
from shared.writer.writer import describe
from tests.amounts import minor
from tests.ledger.builders import ASK_WITHIN, NOW

SECRET = b"a channel's secret of 32 bytes.."
CLOCK = Clock(now=lambda: NOW)
PAYLOAD = {"payment_id": "o-1/x#2", "channel": "wechat", "amount": {"amount": 500, "currency": "CNY"}}
RETURN = {**PAYLOAD, "return_id": "hold#rest", "amount": {"amount": 200, "currency": "CNY"}}


def reaching(http: httpx.Client, secret: bytes = SECRET) -> Adapters:
    channel = Channel(http, secret, CLOCK, "https://shop.example")
    return Adapters({"wechat": channel}, 300, ASK_WITHIN, CLOCK)


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> Adapters:
    return reaching(httpx.Client(base_url="http://channel", transport=httpx.MockTransport(answer)))


TAKEN = httpx.MockTransport(lambda _: httpx.Response(200))  # what the sandbox calls back


class Sandbox:
    def __init__(self) -> None:
        self.http = TestClient(create_channel("wechat", SECRET, "http://shop.invalid", CLOCK, TAKEN))
        self.adapters = reaching(self.http)

    def pay(self) -> None:
        self.http.post("/payments/o-1%2Fx%232/pay", json={"lose_callback": True})


def run(effect: str, payload: dict[str, Any], adapters: Adapters, attempt: int = 1) -> Any:
    return EFFECTS[effect].run(payload, attempt, adapters)


def test_opening_twice_gives_the_same_payment():
    sandbox = Sandbox()
    first = run("open_payment", PAYLOAD, sandbox.adapters)
    assert isinstance(first, RecordPaymentOpening)
    assert first.opened
    assert first.pay_url.endswith("/payments/o-1%2Fx%232/pay")
    assert run("open_payment", PAYLOAD, sandbox.adapters, attempt=2) == first


def test_a_channel_that_will_not_open_it_says_so():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.adapters)
    other = run("open_payment", {**PAYLOAD, "amount": {"amount": 1, "currency": "CNY"}}, sandbox.adapters)
    assert not other.opened
    assert "409" in other.reason
    unknown = run("open_payment", {**PAYLOAD, "channel": "paypal"}, sandbox.adapters)
    assert "paypal" in unknown.reason


@pytest.mark.parametrize("effect", ["ask_payment", "close_payment", "return_payment"])
def test_a_channel_without_settings_fails_with_a_plain_reason_and_is_tried_again(effect: str):
    payload = {**RETURN, "channel": "paypal", "until": (NOW + timedelta(hours=1)).isoformat()}
    with pytest.raises(EffectFailed) as failed:
        run(effect, payload, Sandbox().adapters)
    assert describe(failed.value) == "no payment channel is called paypal: KAMENG_CHANNELS does not name it"


def test_asking_a_channel_without_settings_ends_in_time():
    payload = {**PAYLOAD, "channel": "paypal", "until": NOW.isoformat()}
    assert run("ask_payment", payload, Sandbox().adapters).in_vain


def test_a_wrong_secret_is_tried_again_and_not_shown():
    adapters = reaching(Sandbox().http, secret=b"wrong secret")
    with pytest.raises(ChannelUnavailable, match="401"):
        run("open_payment", PAYLOAD, adapters)
    assert "wrong secret" not in repr(adapters)


def test_asking_finds_a_payment_whose_callback_was_lost():
    sandbox = Sandbox()
    opened = run("open_payment", PAYLOAD, sandbox.adapters)
    with pytest.raises(NotYetPaid):
        run("ask_payment", PAYLOAD, sandbox.adapters)
    sandbox.pay()
    assert run("ask_payment", PAYLOAD, sandbox.adapters, attempt=2) == RecordCallback(
        payment_id="o-1/x#2",
        channel="wechat",
        callback_id="asked-2",
        channel_ref=opened.channel_ref,
        amount=minor(500),
        status="paid",
        authentic=True,
    )


def paid(fen: int, status: str = "paid") -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(
        200, json={"channel_ref": "ref-1", "status": status, "amount": fen, "currency": "CNY"}
    )


def test_asking_ends_when_the_payments_time_is_over():
    """However often it was asked until then."""
    waiting = PAYLOAD | {"until": (NOW + timedelta(seconds=1)).isoformat()}
    for attempt in (1, 500):
        with pytest.raises(NotYetPaid):
            run("ask_payment", waiting, answering(paid(500, "pending")), attempt)

    over = run("ask_payment", PAYLOAD | {"until": NOW.isoformat()}, answering(paid(500, "pending")))

    assert (over.status, over.in_vain) == ("failed", True)
    assert EFFECTS["ask_payment"].gave_up(PAYLOAD, "no answer").model_dump()["in_vain"]


def test_asking_planned_before_payments_had_a_time_ends_after_a_number_of_tries():
    with pytest.raises(NotYetPaid):
        run("ask_payment", PAYLOAD, answering(paid(500, "pending")), attempt=ASKED_TIMES)
    assert run("ask_payment", PAYLOAD, answering(paid(500, "pending")), attempt=ASKED_TIMES + 1).in_vain


def test_at_its_end_the_channel_is_asked_once_more():
    """What was paid meanwhile counts; an answer that can't be read differs from no answer."""
    over = PAYLOAD | {"until": NOW.isoformat()}
    odd = answering(paid(500, "refunded"))
    ends = {"paid": answering(paid(500)), "gone": answering(lambda _: httpx.Response(404)), "odd": odd}

    results = {name: run("ask_payment", over, adapters, 9) for name, adapters in ends.items()}

    assert {name: (it.status, it.in_vain, it.unread) for name, it in results.items()} == {
        "paid": ("paid", False, False), "gone": ("failed", True, False), "odd": ("failed", True, True),
    }  # fmt: skip
    assert "can't be read" in results["odd"].reason
    assert run("ask_payment", over | {"channel": "removed"}, odd).in_vain
    with pytest.raises(ChannelUnread):
        run("ask_payment", PAYLOAD, odd)


@pytest.mark.parametrize(
    ("known", "answer", "news"),
    [
        ("failed", paid(500, "failed"), None),
        ("paid wechat ref-1 499 CNY", paid(499), None),
        ("failed", paid(500), "paid"),
        ("paid wechat ref-1 499 CNY", paid(500), "paid"),
        ("paid wechat ref-1 499 CNY", paid(499, "failed"), "failed"),
    ],
)
def test_asking_goes_on_until_there_is_news(
    known: str, answer: Callable[[httpx.Request], httpx.Response], news: str | None
):
    payload = PAYLOAD | {"until": (NOW + ASK_WITHIN).isoformat(), "known": known}
    if news is None:
        with pytest.raises(NotYetPaid):
            run("ask_payment", payload, answering(answer))
    else:
        assert run("ask_payment", payload, answering(answer)).status == news


@pytest.mark.parametrize("amount", [-1, 10**15 + 1, "5.00"])
def test_an_amount_that_is_none_is_no_answer(amount: object):
    body = {"channel_ref": "ref-1", "status": "paid", "amount": amount, "currency": "CNY"}
    with pytest.raises(ChannelUnavailable):
        run("ask_payment", PAYLOAD, answering(lambda _: httpx.Response(200, json=body)))


@pytest.mark.parametrize(
    "said",
    [
        {"amount": 150},
        {"amount": 201},
        {"currency": "USD"},
        {"return_id": "another"},
        {"status": "failed"},
    ],
)
def test_a_return_is_done_when_the_channel_says_that_this_one_is(said: dict[str, Any]):
    """What else it says is believed of its list, not of its answer."""
    body = {"return_id": "hold#rest", "amount": 200, "currency": "CNY"} | said
    fair = {"return_id": "hold#rest", "amount": 200, "currency": "CNY"}

    def answer(listed: dict[str, Any]) -> Callable[[httpx.Request], httpx.Response]:
        return lambda it: httpx.Response(200, json=body if it.method == "POST" else {"refunds": [listed]})

    if "return_id" in said:
        with pytest.raises(NotYetReturned):
            run("return_payment", RETURN, answering(answer(body)))
    else:
        result = run("return_payment", RETURN, answering(answer(body)))
        assert not result.returned
        assert "the channel says that it" in result.reason
        money = Money(amount=body["amount"], currency=body["currency"])
        assert result.paid == (None if "status" in said else money)
    assert run("return_payment", RETURN, answering(answer(fair))).returned is ("status" not in said)


def test_a_return_that_the_channel_has_taken_on_is_looked_at_until_it_is_done():
    body = {"return_id": "hold#rest", "amount": 200, "currency": "CNY", "status": "pending"}
    with pytest.raises(NotYetReturned):
        run("return_payment", RETURN, answering(lambda _: httpx.Response(200, json=body)))
    with pytest.raises(NotYetReturned):
        run("return_payment", RETURN, answering(lambda _: httpx.Response(200, json={"refunds": [body]})), attempt=2)

    done = {"refunds": [body | {"status": "done"}]}

    assert run("return_payment", RETURN, answering(lambda _: httpx.Response(200, json=done)), attempt=3).returned


def test_a_return_that_is_asked_for_again_is_looked_up_first():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={"refunds": [{"return_id": "hold#rest", "amount": 200, "currency": "CNY"}]})

    assert run("return_payment", RETURN | {"again": True}, answering(answer)).returned
    assert asked == ["GET"]


def test_what_else_a_channel_lists_as_paid_back_is_reported():
    ours = {"return_id": "hold#rest", "amount": 200, "currency": "CNY"}
    listed = [ours | {"status": "failed"}, ours, ours | {"return_id": "chargeback"}, ours]
    result = run(
        "return_payment", RETURN, answering(lambda _: httpx.Response(200, json={"refunds": listed})), attempt=2
    )

    assert result.returned
    assert [other.return_id for other in result.others] == ["chargeback", "hold#rest"]


def test_a_return_pays_once_however_often_it_is_tried():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.adapters)
    sandbox.pay()
    done = RecordReturn(payment_id="o-1/x#2", return_id="hold#rest", returned=True)
    for attempt in (1, 2, 3):
        assert run("return_payment", RETURN, sandbox.adapters, attempt) == done
    (refund,) = sandbox.adapters.channels["wechat"].refunds("o-1/x#2")
    assert (refund.return_id, refund.money) == ("hold#rest", minor(200))


def test_a_second_try_looks_first():
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return httpx.Response(200, json={"refunds": [{"return_id": "hold#rest", "amount": 200, "currency": "CNY"}]})

    assert run("return_payment", RETURN, answering(answer), attempt=2).returned
    assert asked == ["GET"]


def test_a_channel_that_will_not_pay_back_says_so():
    sandbox = Sandbox()
    run("open_payment", PAYLOAD, sandbox.adapters)
    no = run("return_payment", RETURN, sandbox.adapters)
    assert not no.returned
    assert "409" in no.reason


def test_a_return_without_an_answer_warns_against_paying_twice():
    closing = EFFECTS["return_payment"].gave_up(RETURN, "timed out")
    assert isinstance(closing, RecordReturn)
    assert not closing.returned
    assert "look at the channel" in closing.reason


@pytest.mark.parametrize("status", [301, 302, 304, 307, 401, 403, 408, 425, 429, 500, 503])
def test_what_may_pass_is_no_refusal_and_no_answer(status: int):
    """Whatever its body says."""
    body = {"channel_ref": "ref-1", "status": "paid", "amount": 500, "currency": "CNY"}
    moved = httpx.Response(status, json=body, headers={"Location": "http://elsewhere/"})
    with pytest.raises(ChannelUnavailable, match=f"answered {status}"):
        run("ask_payment", PAYLOAD, answering(lambda _: moved))


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_carries_its_status(status: int):
    with pytest.raises(ChannelRefused) as refused:
        answering(lambda _: httpx.Response(status)).channels["wechat"].refund("p-1", "r-1", Money(amount=1))
    assert refused.value.status == status


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b'{"channel_ref": "", "pay_url": ""}'])
def test_an_unreadable_answer_is_no_answer(content: bytes):
    with pytest.raises(ChannelUnavailable):
        answering(lambda _: httpx.Response(200, content=content)).channels["wechat"].open("p-1", minor(5))


TWICE = '{"channel_ref": "ref-1", "status": "paid", "amount": 1, "amount": 500, "currency": "CNY"}'
REFUND_TWICE = '{"return_id": "hold#rest", "amount": 1, "amount": 200, "currency": "CNY"}'
LISTED_TWICE = (
    '{"refunds": [], "refunds": [{"return_id": "hold#rest", "amount": 200, "currency": "CNY"}]}',
    '{"refunds": [{"return_id": "hold#rest", "amount": 1, "amount": 200, "currency": "CNY"}]}',
)
OPENED_TWICE = '{"channel_ref": "ref-1", "channel_ref": "ref-2", "pay_url": "https://pay.example/1"}'


@pytest.mark.parametrize(
    ("effect", "payload", "attempt", "content"),
    [
        ("ask_payment", PAYLOAD, 1, TWICE),
        ("ask_payment", PAYLOAD, 1, "\ufeff" + TWICE.replace('"amount": 1, ', "")),
        ("ask_payment", PAYLOAD, 1, TWICE.replace('"amount": 1, ', "") + "{}"),
        ("ask_payment", PAYLOAD, 1, TWICE.replace('"amount": 1, ', f'"odd": {"9" * 5_000}, ')),
        ("close_payment", PAYLOAD, 1, TWICE.replace('"paid"', '"paid", "status": "failed"')),
        ("open_payment", PAYLOAD, 1, OPENED_TWICE),
        ("return_payment", RETURN, 1, REFUND_TWICE),
        ("return_payment", RETURN, 2, LISTED_TWICE[0]),
        ("return_payment", RETURN, 2, LISTED_TWICE[1]),
    ],
)
def test_an_answer_that_says_something_twice_is_not_read(
    effect: str, payload: dict[str, Any], attempt: int, content: str
):
    with pytest.raises(ChannelUnread, match="can't be read"):
        run(effect, payload, answering(lambda _: httpx.Response(200, content=content.encode())), attempt)


def test_nor_at_the_end_of_asking_for_which_a_person_looks():
    over = PAYLOAD | {"until": NOW.isoformat()}
    result = run("ask_payment", over, answering(lambda _: httpx.Response(200, content=TWICE.encode())), 9)
    assert (result.status, result.in_vain, result.unread) == ("failed", True, True)
    assert "more than once" in result.reason


def test_an_answer_in_a_broken_encoding_is_not_read():
    packed = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip"))
    with pytest.raises(ChannelUnread):
        answering(lambda _: packed).channels["wechat"].status("p-1")


def test_a_broken_line_is_no_answer():
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ChannelUnavailable, match="ConnectError"):
        answering(broken).channels["wechat"].status("p-1")


@pytest.mark.parametrize(
    "pay_url",
    [
        "javascript:alert(1)", "JavaScript://pay.example/%0aalert(1)", "java\tscript:alert(1)", "data:text/html,x",
        "//pay.example/1", "/pay/1", "pay.example/1", "ftp://pay.example/1", "https:", "https://", "https:///1",
        "http://[", " https://pay.example/1", "https://pay.example/\n1", "https://pay.example/\u202e1", "",
    ],
)  # fmt: skip
def test_a_link_that_is_no_page_of_the_web_is_handed_to_nobody(pay_url: str):
    adapters = answering(lambda _: httpx.Response(200, json={"channel_ref": "r", "pay_url": pay_url}))
    command = run("open_payment", PAYLOAD, adapters)
    assert (command.opened, command.pay_url, command.channel_ref) == (False, "", "")
    assert "neither http nor https" in command.reason


@pytest.mark.parametrize("pay_url", ["https://pay.example/1?a=b#c", "HTTP://127.0.0.1:8101/1", "https://[::1]/支付"])
def test_a_page_of_the_web_is_what_it_is(pay_url: str):
    adapters = answering(lambda _: httpx.Response(200, json={"channel_ref": "r", "pay_url": pay_url}))
    assert run("open_payment", PAYLOAD, adapters).pay_url == pay_url
