"""Block, allow and watch lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from services.risk.domain.lists import ListEntry, decide_list_entry, evolve_list_entry
from shared.contracts import Refused
from shared.contracts.risk import ListEntryRemoved, ListEntrySet, RemoveListEntry, SetListEntry
from tests.risk.builders import NOW, given

SET = SetListEntry(
    entry="ip:203.0.113.7", list="block", dimension="ip", value="203.0.113.7", reason="fraud", until=None
)
LISTED = ListEntrySet(**dict(SET))
REMOVE = RemoveListEntry(entry="ip:203.0.113.7", reason="mistake")


def test_a_value_is_listed_once():
    assert decide_list_entry(SET, ListEntry(), given(())) == [LISTED]
    assert decide_list_entry(SET, evolve_list_entry(ListEntry(), LISTED), given(())) == []


def test_a_value_moves_to_another_list():
    moved = decide_list_entry(SET.model_copy(update={"list": "watch"}), ListEntry(LISTED), given(()))
    assert moved == [LISTED.model_copy(update={"list": "watch"})]


def test_an_entry_is_removed_once():
    state = ListEntry(LISTED)
    events = decide_list_entry(REMOVE, state, given(()))
    assert events == [ListEntryRemoved(entry="ip:203.0.113.7", reason="mistake")]
    with pytest.raises(Refused, match="not-listed"):
        decide_list_entry(REMOVE, evolve_list_entry(state, events[0]), given(()))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"value": "203.0.113.8"}, "wrong-entry"),
        ({"dimension": "device"}, "wrong-entry"),
        ({"entry": "ip:", "value": ""}, "wrong-entry"),
        ({"entry": "ip:1.2.3.04", "value": "1.2.3.04"}, "wrong-entry"),
        ({"entry": "ip:10.0.0.0/8", "value": "10.0.0.0/8"}, "wrong-entry"),
        ({"entry": "ip:2001:db8::1", "value": "2001:db8::1"}, "wrong-entry"),
        ({"entry": "target:Abc", "value": "Abc", "dimension": "target"}, "wrong-entry"),
        ({"entry": "target:+8613800138000", "value": "+8613800138000", "dimension": "target"}, "wrong-entry"),
        ({"entry": "device:  ", "value": "  ", "dimension": "device"}, "wrong-entry"),
        ({"until": NOW}, "already-over"),
    ],
)
def test_an_entry_that_could_never_match_is_refused(changes: dict[str, object], code: str):
    with pytest.raises(Refused, match=code) as refused:
        decide_list_entry(SET.model_copy(update=changes), ListEntry(), given(()))
    assert refused.value.status == 422


def test_an_entry_takes_the_place_of_the_same_value_in_other_spellings():
    typed = ("target:Acc ", "target:ACC")
    listed = SetListEntry(entry="target:acc", list="block", dimension="target", value="acc", reason="fraud", until=None)

    (again,) = decide_list_entry(listed, ListEntry(), given(typed))

    assert again == ListEntrySet(**dict(listed), spellings=typed)
    assert decide_list_entry(listed, evolve_list_entry(ListEntry(), again), given(("target:acc",))) == []


def test_a_value_is_removed_in_the_spelling_that_a_version_before_took():
    remove = RemoveListEntry(entry="target:acc", reason="mistake")
    removed = decide_list_entry(remove, ListEntry(), given(("target:Acc ",)))

    assert removed == [ListEntryRemoved(entry="target:acc", reason="mistake", spellings=("target:Acc ",))]


def test_a_state_survives_a_snapshot():
    state = ListEntry(LISTED.model_copy(update={"until": NOW + timedelta(days=1)}))
    adapter = TypeAdapter(ListEntry)
    assert adapter.validate_json(adapter.dump_json(state)) == state
