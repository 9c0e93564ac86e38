"""The checker passes each event to the laws that ask for it."""

from __future__ import annotations

import pytest

from laws import EVENT_LAWS, Conserved, KeyOnce, NoOversell, watch
from shared.contracts.inventory import StockRanLow
from shared.laws import LawChecker, Violation
from tests.laws.builders import SKU, keys_delivered, loaded, record, reserved, watched


def test_what_nobody_hears_is_not_decoded() -> None:
    (unheard,) = record([StockRanLow(sku=SKU, available=1, threshold=2)])
    unheard.data = "no JSON"

    watch().saw(unheard)


def test_an_event_is_heard_from_its_own_service_only() -> None:
    (strange,) = record([loaded("a")])
    strange.source = "risk"
    seen = watch()

    seen.saw(strange)

    assert seen.law(NoOversell).checked == 0


def test_the_observer_hears_of_a_violation_at_once_and_may_raise() -> None:
    def stop(violation: Violation) -> None:
        raise violation

    seen = watch(stop)
    first, second = record([loaded("a"), reserved("o-1", 2)])
    seen.saw(first)

    with pytest.raises(Violation) as raised:
        seen.saw(second)

    assert (raised.value.law, raised.value.detail) == (
        "NoOversell",
        "key 2 of CARD was reserved for o-1/1 and never loaded (inventory 2)",
    )
    assert str(raised.value) == f"{raised.value.law}: {raised.value.detail}"


def test_the_newest_violations_are_kept_and_all_are_counted() -> None:
    events = [keys_delivered("o-1", 1) for _ in range(200)]

    seen = watched(*events)

    (found,) = (found for found in seen.findings(drained=False) if found.law == "KeyOnce")
    assert found.broken == 2 * 199
    assert len(found.violations) == 10
    assert len(seen.violations) == 100
    assert seen.violations[-1].detail.endswith("(fulfillment 200)")


def test_laws_can_be_watched_apart() -> None:
    seen = LawChecker([KeyOnce])

    for recorded in record([loaded("a"), reserved("o-1", 2)]):
        seen.saw(recorded)

    assert seen.violations == []
    with pytest.raises(LookupError):
        seen.law(Conserved)


def test_each_law_has_a_name_a_sentence_and_something_to_hear() -> None:
    laws = [law() for law in EVENT_LAWS]

    assert len({law.name for law in laws}) == len(laws)
    assert all(type(law).__doc__ and law.hears for law in laws)
    assert KeyOnce().hears.keys() == {"inventory", "fulfillment"}
