"""The memories of the laws: as a set, a dict and a pair of logs would do it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.laws.compact import Marks, Numbers, Pairs


@given(st.lists(st.integers(0, 10**12) | st.integers(0, 600)))
def test_numbers_are_a_set(added: list[int]) -> None:
    numbers, known = Numbers(), set()

    for number in added:
        assert numbers.add(number) == (number not in known)
        known.add(number)

    assert all(number in numbers for number in known)
    assert all((number + 1 in numbers) == (number + 1 in known) for number in known)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(-(10**15), 10**15)), max_size=200))
def test_marks_are_a_dict(added: list[tuple[str, int]]) -> None:
    marks: Marks = Marks()
    known: dict[str, int] = {}

    for text, value in added:
        assert marks.change(text, 1) == (known[text] + 1 if text in known else None)
        if text in known:
            known[text] += 1
        assert marks.add(text, value) == (text not in known)
        known.setdefault(text, value)

    assert {text: marks.get(text) for text in known} == known
    assert "longer than any" not in marks
    assert marks.get("longer than any") is None


def test_marks_grow() -> None:
    marks = Marks()

    assert all(marks.add(f"text {number}", number) for number in range(10_000))
    assert all(marks.get(f"text {number}") == number for number in range(10_000))


def test_two_sides_meet_once() -> None:
    pairs: Pairs[int] = Pairs()

    assert pairs.stated("left", "a", 1) == "first"
    assert pairs.stated("right", "a", 1) == "agreed"
    assert pairs.stated("left", "a", 1) == "twice"
    assert pairs.stated("right", "b", 1) == "first"
    assert pairs.stated("right", "b", 1) == "twice"
    assert list(pairs.alone()) == [("right", "b")]
    assert pairs.stated("left", "b", 2) == "differs"
    assert list(pairs.alone()) == []
