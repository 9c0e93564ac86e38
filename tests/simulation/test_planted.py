"""The simulation finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.case import Case
from tests.simulation.planted import PLANTED, Planted
from tests.simulation.run import Ran, run

WITHIN_SEEDS = 200
# The seed that shows a bug soonest is tried first; the first seed for those that are not named.
SHOWN = {
    "a_block_by_a_person_is_not_heard": 17,
    "a_blocked_order_is_reopened_by_a_late_payment": 17,
    "a_cancelled_order_keeps_its_hold": 6,
    "a_deadline_counts_from_the_last_event": 7,
    "a_key_goes_out_unsealed": 2,
    "a_key_is_opened_before_payment": 6,
    "a_late_bill_is_not_booked": 5,
    "a_late_success_of_a_supplier_is_dropped": 5,
    "a_posting_is_rounded": 5,
    "a_refunded_key_is_replaced_too": 10,
    "a_refused_refund_is_called_done": 2,
    "a_replaced_key_is_refunded_too": 21,
    "a_time_out_is_lost": 9,
    "a_won_claim_is_not_booked": 5,
    "an_import_takes_in_what_a_supplier_has_sent": 3,
    "an_odd_bill_of_a_supplier_is_taken_for_none": 5,
    "an_order_under_review_is_delivered": 5,
    "asking_stops_at_the_first_no": 6,
    "goods_of_a_supplier_are_not_counted": 2,
    "goods_of_a_supplier_go_on_unsealed": 5,
    "goods_that_come_late_are_dropped": 63,
    "nobody_compares_what_suppliers_send_with_our_stock": 32,
    "replies_do_not_wait_for_the_commit": 8,
    "rows_survive_a_rollback": 5,
    "silence_of_a_supplier_is_taken_for_a_no": 2,
    "states_survive_a_rollback": 6,
    "stock_does_not_hear_what_suppliers_send": 13,
    "stock_is_reserved_without_being_taken": 4,
    "what_was_paid_back_is_booked_as_it_was_asked_for": 38,
}


def first_broken(bug: str) -> Iterator[Ran]:
    for seed in dict.fromkeys((SHOWN.get(bug, 1), *range(1, WITHIN_SEEDS + 1))):
        ran = run(Case(str(seed)))
        if ran.broken:
            yield ran


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught_by_its_law(bug: Planted) -> None:
    with bug.switch():
        ran = next(first_broken(bug.name), None)

    assert ran is not None, f"{WITHIN_SEEDS} seeds did not show it"
    assert bug.laws & set(ran.broken), ran.trace
