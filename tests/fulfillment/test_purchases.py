from datetime import timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.fulfillment.domain import decide
from services.fulfillment.domain.routing import Health
from services.fulfillment.domain.statements import MOST_REPORTS
from shared.contracts import Decided, DecisionContext, Event, Metadata, Refused
from shared.contracts.fulfillment import (
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryResolved,
    KeysDelivered,
    PurchaseFailed,
    PurchaseRequested,
    RecordPurchaseUnknown,
    ResolveDelivery,
    SupplierDelivered,
    SupplierReportRefused,
)
from tests.fulfillment.builders import (
    COST,
    ID,
    NOW,
    after,
    asked,
    deliver,
    deliver_by,
    given,
    names,
    order_line,
    report,
    when,
)

FINAL = (KeysDelivered, SupplierDelivered, DeliveryResolved, DeliveryFailed)


def unknown(supplier: str) -> RecordPurchaseUnknown:
    return RecordPurchaseUnknown(delivery_id=ID, supplier=supplier, reason="time-out")


def resolve(delivered: bool) -> ResolveDelivery:
    return ResolveDelivery(delivery_id=ID, delivered=delivered, note="asked them by phone")


def test_the_first_supplier_is_asked() -> None:
    request = given(deliver_by("north", "south"))[-1]

    assert request == PurchaseRequested(
        delivery_id=ID, order_id="order-1", line=1, sku="sku-1", supplier="north", request_id=f"{ID}#north",
        quantity=1, target="ok:13800000000",
    )  # fmt: skip


def test_what_is_done_is_delivered_at_its_cost() -> None:
    past = given(deliver_by("north"))

    [event] = when(past, report("north", "done", supplier_ref="n-7"), {})
    assert isinstance(event, SupplierDelivered)
    assert (event.supplier, event.supplier_ref, event.cost) == ("north", "n-7", COST)
    assert when([*past, event], report("north", "done"), {}) == []


def test_a_failure_moves_on_until_nobody_is_left() -> None:
    past = given(deliver_by("north", "south"), report("north", "failed", reason="out of stock"))
    assert asked(past) == ["north", "south"]

    events = when(past, report("south", "failed"), {})
    assert names(events) == ["PurchaseFailed", "DeliveryHandedOver"]
    assert isinstance(events[-1], DeliveryHandedOver)
    assert events[-1].reason == "no supplier could deliver"


def test_a_line_without_suppliers_goes_to_a_person() -> None:
    assert names(given(deliver_by())) == ["DeliveryRequested", "DeliveryHandedOver"]


def test_pending_is_recorded_once() -> None:
    past = given(deliver_by("north"), report("north", "pending"))

    assert names(past)[-1] == "PurchasePending"
    assert when(past, report("north", "pending"), {}) == []
    assert names(when(past, report("north", "done"), {})) == ["SupplierDelivered"]


def test_nobody_buys_elsewhere_while_the_outcome_is_unknown() -> None:
    past = given(deliver_by("north", "south"), unknown("north"))

    assert names(past)[-1] == "DeliveryHandedOver"
    assert isinstance(past[-1], DeliveryHandedOver)
    assert past[-1].supplier == "north"
    assert when(past, unknown("north")) == []
    assert names(when(past, report("north", "failed"), {})) == ["PurchaseFailed"]


def test_a_late_done_delivers_what_was_handed_over() -> None:
    past = given(deliver_by("north"), unknown("north"))

    assert names(when(past, report("north", "done"), {})) == ["SupplierDelivered"]


def test_another_supplier_is_refused() -> None:
    for past in ([], given(deliver_by("north")), given(deliver(order_line("manual")))):
        [refused] = when(past, report("south", "done"), {})
        assert isinstance(refused, SupplierReportRefused)
        assert (refused.order_id, refused.request_id) == ("order-1" if past else None, f"{ID}#south")
        assert refused.cost == COST
        history = [*past, refused]
        assert when(history, report("south", "done"), {}) == []  # a repeat is no news
        assert names(when(history, report("south", "done", cost=None), {})) == ["SupplierReportRefused"]


def test_what_an_unasked_supplier_tells_is_not_kept_without_end() -> None:
    """Nor does what one tells take another's place."""
    for before in ([], [deliver_by("north")]):
        past = given(*before, *(report("south", "done", supplier_ref=f"s-{number}") for number in range(50)))
        state = after(past)
        assert [one.said.supplier_ref for one in state.reports] == [f"s-{number}" for number in range(MOST_REPORTS)]

        for command, reason, kept in (
            (report("south", "done", supplier_ref="s-50"), "too-many-reports", []),
            (report("south", "done", supplier_ref=f"s-{MOST_REPORTS - 1}"), "wrong-supplier", []),
            (report("west", "done", supplier_ref="w-1"), "wrong-supplier", ["SupplierReportRefused"]),
        ):
            decided = decide(
                command, state, DecisionContext(NOW, "c", Metadata(correlation_id="c", causation_id="c"), {})
            )
            assert isinstance(decided, Decided)
            assert (decided.answer, names(decided.events)) == ({"outcome": "refused", "reason": reason}, kept)


def test_what_an_unasked_supplier_tells_changes_nothing_of_the_delivery() -> None:
    past = given(deliver_by("north"), report("south", "done"))

    assert names(when(past, report("north", "done"), {})) == ["SupplierDelivered"]
    assert names(given(report("south", "failed"), deliver_by("north")))[-1] == "PurchaseRequested"


def test_what_an_earlier_supplier_repeats_changes_nothing() -> None:
    past = given(deliver_by("north", "south"), report("north", "failed"))

    assert when(past, report("north", "failed"), {}) == []
    assert when(past, report("north", "pending"), {}) == []
    assert when(past, unknown("north")) == []


def test_manual_lines_go_to_a_person_at_once() -> None:
    past = given(deliver(order_line("manual")))

    assert names(past) == ["DeliveryRequested", "DeliveryHandedOver"]
    assert names(when(past, resolve(True))) == ["DeliveryResolved"]
    [failed] = when(past, resolve(False))
    assert isinstance(failed, DeliveryFailed)
    assert failed.reason == "asked them by phone"


def test_only_what_was_handed_over_can_be_resolved() -> None:
    open_purchase = given(deliver_by("north"))
    over = given(deliver(order_line("manual")), resolve(True))

    for past, code, status in (
        ([], "unknown-delivery", 404),
        (open_purchase, "not-handed-over", 409),
        (over, "already-ended", 409),
    ):
        with pytest.raises(Refused) as refused:
            when(past, resolve(True))
        assert (refused.value.code, refused.value.status) == (code, status)


def test_suppliers_in_trouble_are_asked_later() -> None:
    health = {
        "north": Health(failures=5, failed_at=NOW - timedelta(seconds=29)),
        "west": Health(failures=2, failed_at=NOW - timedelta(seconds=200)),
        "south": Health(failures=1, failed_at=NOW),
    }
    line = order_line("supplier", 1, ("north", "west", "south", "east"))
    past = when([], deliver(line), health)
    for supplier in ("south", "east", "west", "north"):
        assert asked(past)[-1] == supplier
        past += when(past, report(supplier, "failed"), health)

    assert asked(when([], deliver(line), health, NOW + timedelta(seconds=31))) == ["south"]
    assert asked(when([], deliver(line), health, NOW + timedelta(minutes=6))) == ["north"]


SUPPLIERS = ("north", "south", "east")
COMMANDS = st.one_of(
    st.builds(report, st.sampled_from(SUPPLIERS), st.sampled_from(["done", "failed", "pending"])),
    st.builds(unknown, st.sampled_from(SUPPLIERS)),
    st.builds(resolve, st.booleans()),
    st.just(deliver_by(*SUPPLIERS)),
)


def in_flight(events: list[Event]) -> set[str]:
    """The suppliers that may have bought or may yet buy: asked, and not known to have failed."""
    failed = {event.supplier for event in events if isinstance(event, PurchaseFailed)}
    return set(asked(events)) - failed


@for_all(st.lists(COMMANDS, max_size=25))
def test_whatever_comes_at_most_one_supplier_sells_and_one_end_is_reached(commands: list) -> None:
    past: list[Event] = given(deliver_by(*SUPPLIERS))
    for command in commands:
        before = len(past)
        handed_over = any(isinstance(event, DeliveryHandedOver) for event in past)
        try:
            past += when(past, command, {})
        except Refused:
            continue
        assert len(in_flight(past)) <= 1
        assert not (handed_over and asked(past[before:])), "bought elsewhere after a person took over"
        assert len([event for event in past if isinstance(event, FINAL)]) <= 1

    assert len(asked(past)) == len(set(asked(past)))
    delivered = [event for event in past if isinstance(event, SupplierDelivered)]
    assert all(in_flight(past) == {event.supplier} for event in delivered)


def test_a_supplier_gets_the_canonical_target_of_an_older_order() -> None:
    line = order_line("supplier", suppliers=("north",)).model_copy(update={"target": " 138 0013 8000\u200b"})

    request = given((deliver(line), {}))[-1]

    assert isinstance(request, PurchaseRequested)
    assert request.target == "13800138000"


def test_nothing_is_bought_for_the_blank_target_of_an_older_order() -> None:
    line = order_line("supplier", suppliers=("north",)).model_copy(update={"target": "  "})

    events = given((deliver(line), {}))

    assert names(events) == ["DeliveryRequested", "DeliveryHandedOver"]
