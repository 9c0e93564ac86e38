"""What an order's screening decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from services.risk.domain.screening import Known, Listed, Screening, decide, evolve
from shared.contracts import Event, Money, Refused
from shared.contracts.risk import CaseDecided, CaseOpened, DecideCase, ListName, OrderScreened, ScreenOrder
from tests.risk.builders import NOW, Desk, given, order


def screened(command: ScreenOrder, *listed: Listed) -> tuple[str, tuple[str, ...]]:
    event = decide(command, Screening(), given(Known(histories={}, listed=listed)))[0]
    assert isinstance(event, OrderScreened)
    return event.decision, event.reasons


def folded(*events: Event) -> Screening:
    state = Screening()
    for event in events:
        state = evolve(state, event)
    return state


def test_an_ordinary_order_passes_with_no_reason():
    assert decide(order(), Screening(), given()) == [
        OrderScreened(
            order_id="order-1",
            customer="alice",
            ip="203.0.113.7",
            device="phone-1",
            targets=(),
            amount=Money(amount=5_000),
            decision="pass",
            reasons=(),
        )
    ]


def test_an_order_is_screened_once():
    state = folded(*decide(order(), Screening(), given()))
    assert decide(order(), state, given()) == []


def test_a_large_amount_is_reviewed_and_opens_a_case():
    events = decide(order(fen=500_001), Screening(), given())
    assert isinstance(events[0], OrderScreened)
    assert events[0].decision == "review"
    reasons = ("ceiling:order>500000CNY",)
    assert events[1:] == [CaseOpened(order_id="order-1", amount=Money(amount=500_001), reasons=reasons)]


def test_the_ceiling_itself_passes_and_another_currency_is_not_compared():
    assert screened(order(fen=500_000)) == ("pass", ())
    assert screened(order(fen=500_001, currency="USD")) == ("pass", ())


@pytest.mark.parametrize(("name", "decision"), [("block", "block"), ("watch", "review"), ("allow", "pass")])
def test_a_list_decides(name: ListName, decision: str):
    assert screened(order(), Listed("customer:alice", name)) == (decision, (f"list:{name}:customer:alice",))


def test_allow_goes_over_the_rules_but_not_over_another_list():
    allow = Listed("customer:alice", "allow")
    assert screened(order(fen=600_000), allow) == ("pass", ("list:allow:customer:alice",))
    assert screened(order(), allow, Listed("ip:203.0.113.7", "block"))[0] == "block"
    assert screened(order(), allow, Listed("ip:203.0.113.7", "watch"))[0] == "review"


def test_the_worst_decides_and_every_reason_is_told():
    decision, reasons = screened(
        order(fen=600_000), Listed("ip:203.0.113.7", "watch"), Listed("device:phone-1", "block")
    )
    assert decision == "block"
    assert reasons == ("list:watch:ip:203.0.113.7", "list:block:device:phone-1", "ceiling:order>500000CNY")


def test_an_entry_counts_until_its_time_is_over():
    over, last_moment = NOW, NOW + timedelta(microseconds=1)
    assert screened(order(), Listed("customer:alice", "block", until=last_moment))[0] == "block"
    assert screened(order(), Listed("customer:alice", "block", until=over)) == ("pass", ())


def test_a_person_decides_an_open_case_once():
    state = folded(*decide(order(fen=600_000), Screening(), given()))
    command = DecideCase(order_id="order-1", decision="pass", note="known buyer")

    events = decide(command, state, given())

    assert events == [CaseDecided(order_id="order-1", decision="pass", note="known buyer")]
    with pytest.raises(Refused, match="no-open-case"):
        decide(command, evolve(state, events[0]), given())


def test_there_is_no_case_for_an_order_that_passed_or_was_never_seen():
    command = DecideCase(order_id="order-1", decision="block")
    with pytest.raises(Refused, match="no-open-case") as passed:
        decide(command, folded(*decide(order(), Screening(), given())), given())
    with pytest.raises(Refused, match="unknown-order") as unseen:
        decide(command, Screening(), given())
    assert (passed.value.status, unseen.value.status) == (409, 404)


def test_a_state_survives_a_snapshot():
    state = folded(*decide(order(fen=600_000), Screening(), given()))
    adapter = TypeAdapter(Screening)
    assert adapter.validate_json(adapter.dump_json(state)) == state == Screening("review", "open")


def test_sixty_orders_a_minute_from_one_address_pass_and_the_next_is_reviewed():
    desk = Desk()
    for number in range(60):
        assert desk.screen(order(f"o{number}", customer=f"c{number}", device=""), number / 2).decision == "pass"
    late = desk.screen(order("o60", customer="c60", device=""), 31)
    assert (late.decision, late.reasons) == ("review", ("velocity:ip>60/60s",))
    assert desk.screen(order("o61", customer="c61", device=""), 31 + 66).decision == "pass"


def test_the_eleventh_customer_on_one_device_within_an_hour_is_blocked():
    desk = Desk()
    for number in range(10):
        assert desk.screen(order(f"o{number}", customer=f"c{number}", ip=""), number * 300).decision == "pass"
    assert desk.screen(order("o10", customer="c3", ip=""), 3_000).decision == "pass"
    blocked = desk.screen(order("o11", customer="c10", ip=""), 3_001)
    assert (blocked.decision, blocked.reasons) == ("block", ("velocity:device-customers>10/3600s",))


def test_more_than_a_days_sum_is_reviewed():
    desk = Desk()
    for number in range(4):
        assert desk.screen(order(f"o{number}", fen=500_000), number * 3_600).decision == "pass"
    assert desk.screen(order("o4", fen=1), 80_000).reasons == ("velocity:customer-amount>2000000/86400s",)


def test_one_target_can_be_topped_up_ten_times_an_hour():
    desk = Desk()
    for number in range(10):
        bought = order(f"o{number}", customer=f"c{number}", ip="", device="", targets=("13800000000",))
        assert desk.screen(bought, number).decision == "pass"
    again = order("o10", customer="c10", ip="", device="", targets=("new", " 13800000000 "))
    assert desk.screen(again, 11).reasons == ("velocity:target>10/3600s",)


def test_empty_values_are_never_counted_together():
    desk = Desk()
    for number in range(200):
        nobody = order(f"o{number}", customer=None, ip="", device=" ", targets=("",))
        assert desk.screen(nobody).decision == "pass"


def test_a_thousand_orders_a_minute_of_a_hundred_customers_pass():
    desk = Desk()
    for number in range(1_000):
        buyer = number % 100
        bought = order(f"o{number}", customer=f"c{buyer}", ip=f"198.51.100.{buyer}", device=f"d{buyer}")
        assert desk.screen(bought, number * 0.06).decision == "pass"
