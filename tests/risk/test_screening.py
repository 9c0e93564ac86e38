"""What an order's screening decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from services.risk.domain.rules import AmountLimits
from services.risk.domain.screening import Known, Listed, Screening, decide_screening, evolve_screening
from shared.contracts import Event, Money, Refused
from shared.contracts.risk import (
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CloseCase,
    DecideCase,
    ListName,
    OrderScreened,
    RecordPaidTargets,
    ReopenCase,
    ScreenOrder,
    TargetsPaid,
)
from tests.risk.builders import NOW, Screener, given, order


def screened(command: ScreenOrder, *listed: Listed) -> tuple[str, tuple[str, ...]]:
    event = decide_screening(command, Screening(), given(Known(histories={}, listed=listed)))[0]
    assert isinstance(event, OrderScreened)
    return event.decision, event.reasons


def folded(*events: Event) -> Screening:
    state = Screening()
    for event in events:
        state = evolve_screening(state, event)
    return state


def test_an_ordinary_order_passes_with_no_reason():
    assert decide_screening(order(), Screening(), given()) == [
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
    state = folded(*decide_screening(order(), Screening(), given()))
    assert decide_screening(order(), state, given()) == []


def test_a_large_amount_is_reviewed_and_opens_a_case():
    events = decide_screening(order(fen=500_001), Screening(), given())
    assert isinstance(events[0], OrderScreened)
    assert events[0].decision == "review"
    reasons = ("ceiling:order>500000CNY",)
    assert events[1:] == [CaseOpened(order_id="order-1", amount=Money(amount=500_001), reasons=reasons)]


def test_the_ceiling_itself_passes():
    assert screened(order(fen=500_000)) == ("pass", ())


def test_each_currency_has_its_own_limits_and_none_means_that_a_person_looks():
    limits = AmountLimits(order={"CNY": 500_000, "JPY": 100_000}, customer_day={"JPY": 150_000, "USD": 200})

    def found(fen: int, currency: str) -> tuple[str, tuple[str, ...]]:
        known = given(Known(histories={}, limits=limits))
        event = decide_screening(order(fen=fen, currency=currency), Screening(), known)[0]
        assert isinstance(event, OrderScreened)
        return event.decision, event.reasons

    assert found(100_000, "JPY") == ("pass", ())
    assert found(100_001, "JPY") == ("review", ("ceiling:order>100000JPY",))
    assert found(1, "CNY") == ("review", ("no-limit:customer-amount:CNY",))
    assert found(201, "USD") == ("review", ("no-limit:order:USD", "velocity:customer-amount>200/86400s"))
    assert found(1, "KWD") == ("review", ("no-limit:order:KWD", "no-limit:customer-amount:KWD"))


def test_an_allow_list_goes_over_a_missing_limit_too():
    allow = Listed("customer:alice", "allow")
    assert screened(order(currency="USD"), allow) == ("pass", ("list:allow:customer:alice",))


@pytest.mark.parametrize(("name", "decision"), [("block", "block"), ("watch", "review"), ("allow", "pass")])
def test_a_list_decides(name: ListName, decision: str):
    assert screened(order(), Listed("customer:alice", name)) == (decision, (f"list:{name}:customer:alice",))


def test_allow_goes_over_the_rules_but_not_over_another_list():
    allow = Listed("customer:alice", "allow")
    assert screened(order(fen=600_000), allow) == ("pass", ("list:allow:customer:alice",))
    assert screened(order(), allow, Listed("ip:203.0.113.7", "block"))[0] == "block"
    assert screened(order(), allow, Listed("ip:203.0.113.7", "watch"))[0] == "review"


def test_the_worst_decides_and_every_reason_is_given():
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
    state = folded(*decide_screening(order(fen=600_000), Screening(), given()))
    command = DecideCase(order_id="order-1", decision="pass", note="known buyer")

    events = decide_screening(command, state, given())

    assert events == [CaseDecided(order_id="order-1", decision="pass", note="known buyer")]
    with pytest.raises(Refused, match="no-open-case"):
        decide_screening(command, evolve_screening(state, events[0]), given())


def test_there_is_no_case_for_an_order_that_passed_or_was_never_seen():
    command = DecideCase(order_id="order-1", decision="block")
    with pytest.raises(Refused, match="no-open-case") as passed:
        decide_screening(command, folded(*decide_screening(order(), Screening(), given())), given())
    with pytest.raises(Refused, match="unknown-order") as unseen:
        decide_screening(command, Screening(), given())
    assert (passed.value.status, unseen.value.status) == (409, 404)


CLOSE, REOPEN = CloseCase(order_id="order-1"), ReopenCase(order_id="order-1")


def test_a_case_ends_with_its_order_and_is_open_again_when_that_goes_on():
    events = decide_screening(order(fen=600_000), Screening(), given())
    assert decide_screening(CLOSE, folded(*events), given()) == [CaseClosed(order_id="order-1")]
    closed = folded(*events, CaseClosed(order_id="order-1"))
    assert decide_screening(CLOSE, closed, given()) == []
    with pytest.raises(Refused, match="no-open-case"):
        decide_screening(DecideCase(order_id="order-1", decision="pass"), closed, given())
    (again,) = decide_screening(REOPEN, closed, given())
    assert again == events[1].model_copy(update={"again": True})
    decide = DecideCase(order_id="order-1", decision="pass")
    decided = decide_screening(decide, evolve_screening(closed, again), given())
    assert [type(event) for event in decided] == [CaseDecided]


def test_an_order_without_an_open_case_ends_and_goes_on_unnoticed():
    passed = folded(*decide_screening(order(), Screening(), given()))
    decided = folded(
        *decide_screening(order(fen=600_000), Screening(), given()),
        CaseDecided(order_id="order-1", decision="pass", note=""),
    )
    for state in (Screening(), passed, decided):
        assert decide_screening(CLOSE, state, given()) == []
        assert decide_screening(REOPEN, state, given()) == []


def test_a_state_survives_a_snapshot():
    state = folded(*decide_screening(order(fen=600_000), Screening(), given()))
    adapter = TypeAdapter(Screening)
    assert adapter.validate_json(adapter.dump_json(state)) == state
    assert (state.decision, state.case) == ("review", "open")


def test_sixty_orders_a_minute_from_one_address_pass_and_the_next_is_reviewed():
    screener = Screener()
    for number in range(60):
        assert screener.screen(order(f"o{number}", customer=f"c{number}", device=""), number / 2).decision == "pass"
    late = screener.screen(order("o60", customer="c60", device=""), 31)
    assert (late.decision, late.reasons) == ("review", ("velocity:ip>60/60s",))
    assert screener.screen(order("o61", customer="c61", device=""), 31 + 66).decision == "pass"


def test_the_eleventh_customer_on_one_device_within_an_hour_is_blocked():
    screener = Screener()
    for number in range(10):
        assert screener.screen(order(f"o{number}", customer=f"c{number}", ip=""), number * 300).decision == "pass"
    assert screener.screen(order("o10", customer="c3", ip=""), 3_000).decision == "pass"
    blocked = screener.screen(order("o11", customer="c10", ip=""), 3_001)
    assert (blocked.decision, blocked.reasons) == ("block", ("velocity:device-customers>10/3600s",))


def test_more_than_a_days_sum_is_reviewed():
    screener = Screener()
    for number in range(4):
        assert screener.screen(order(f"o{number}", fen=500_000), number * 3_600).decision == "pass"
    assert screener.screen(order("o4", fen=1), 80_000).reasons == ("velocity:customer-amount>2000000/86400s",)


def test_a_customers_sums_are_of_one_currency_each():
    screener = Screener()
    screener.screen(order("o1", fen=1_999_999))
    assert screener.screen(order("o2", fen=500_000, currency="USD"), 1).reasons[-1] == "no-limit:customer-amount:USD"
    assert screener.screen(order("o3", fen=1), 2).decision == "pass"
    assert screener.screen(order("o4", fen=1), 3).reasons == ("velocity:customer-amount>2000000/86400s",)


def test_an_address_that_floods_is_refused():
    screener = Screener()
    decisions = [screener.screen(order(f"o{n}", customer=None, device=""), n / 15).decision for n in range(120)]
    assert decisions == ["pass"] * 60 + ["review"] * 20 + ["block"] * 40


def test_a_device_that_floods_is_refused_from_wherever():
    screener = Screener()
    decisions = [screener.screen(order(f"o{n}", customer=None, ip=f"192.0.2.{n}"), n / 15).decision for n in range(70)]
    assert decisions == ["pass"] * 30 + ["review"] * 30 + ["block"] * 10


def test_others_orders_for_a_target_that_nobody_paid_do_not_count_for_its_owner():
    screener = Screener()
    for number in range(200):
        screener.screen(
            order(f"o{number}", customer=None, ip="192.0.2.66", device="", targets=("13800000000",)), number
        )
    owner = screener.screen(order("own", customer="owner", ip="198.51.100.1", targets=("13800000000",)), 201)
    assert owner.decision == "pass"


def test_one_buyers_orders_for_a_target_count_before_they_are_paid():
    screener = Screener()
    for number in range(10):
        asked = order(f"o{number}", customer="c1", ip=f"192.0.2.{number}", device="", targets=("13800000000",))
        assert screener.screen(asked, number).decision == "pass"
    again = order("o10", customer="c1", ip="192.0.2.99", device="", targets=("13800000000",))
    assert screener.screen(again, 11).reasons == ("velocity:own-target>10/3600s",)


def test_a_paid_order_counts_for_its_targets_once():
    command = RecordPaidTargets(order_id="o1", customer=None, targets=("138",), amount=Money(amount=1))
    (paid,) = decide_screening(command, Screening("pass"), given())
    assert paid == TargetsPaid(order_id="o1", customer=None, targets=("138",), amount=Money(amount=1))
    assert decide_screening(command, evolve_screening(Screening("pass"), paid), given()) == []


def test_one_target_can_be_topped_up_ten_times_an_hour():
    screener = Screener()
    for number in range(10):
        bought = order(f"o{number}", customer=f"c{number}", ip="", device="", targets=("13800000000",))
        assert screener.screen(bought, number).decision == "pass"
        paid = TargetsPaid(order_id=bought.order_id, customer=None, targets=bought.targets, amount=bought.amount)
        screener.apply([paid], NOW + timedelta(seconds=number))
    again = order("o10", customer="c10", ip="", device="", targets=("new", " 13800000000 "))
    assert screener.screen(again, 11).reasons == ("velocity:target>10/3600s",)


def test_empty_values_are_never_counted_together():
    screener = Screener()
    for number in range(200):
        nobody = order(f"o{number}", customer=None, ip="", device=" ", targets=("",))
        assert screener.screen(nobody).decision == "pass"


def test_a_thousand_orders_a_minute_of_a_hundred_customers_pass():
    screener = Screener()
    for number in range(1_000):
        buyer = number % 100
        bought = order(f"o{number}", customer=f"c{buyer}", ip=f"198.51.100.{buyer}", device=f"d{buyer}")
        assert screener.screen(bought, number * 0.06).decision == "pass"


def test_guests_are_counted_by_address_and_by_device():
    screener = Screener()
    for number in range(4):
        assert screener.screen(order(f"o{number}", customer=None, fen=500_000), number).decision == "pass"

    reason = ("velocity:guest-amount>2000000/86400s",)
    assert screener.screen(order("o5", customer=None, device="phone-2", fen=1), 10).reasons == reason
    assert screener.screen(order("o6", customer=None, ip="198.51.100.7", fen=1), 11).reasons == reason
    assert screener.screen(order("o7", customer=None, ip="198.51.100.8", device="phone-3", fen=1), 12).reasons == ()
    assert screener.screen(order("o8", customer="bob", fen=1), 13).reasons == ()
    assert screener.screen(order("o9", customer=None, fen=1), 95_000).reasons == ()


def test_a_guests_order_that_nobody_let_pass_counts_for_no_other_guest():
    screener = Screener()
    for number in range(5):
        assert screener.screen(order(f"o{number}", customer=None, fen=100_000_000), number).decision == "review"

    assert screener.screen(order("o6", customer=None, fen=1), 10).reasons == ()
