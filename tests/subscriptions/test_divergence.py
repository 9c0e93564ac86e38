"""A log that was set back, or changed, under those who read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from shared.eventstore import healing, log
from shared.eventstore.divergence import (
    Divergence,
    ReaderPosition,
    divergence,
    reached_by,
)
from shared.eventstore.engines import open_engine
from shared.messages.messages import HALTED, EventBatch
from shared.subscriptions.continuity import fit
from shared.writer.writer import Writer
from tests.platform.harness import START, Harness
from tests.runtime.builders import (
    logged,
    press,
    replies,
    start,
)
from tests.runtime.toy import (
    ToyLit,
    ToyPress,
    button,
    lamp,
)

SERVICES = (button(), lamp())


def market(folder: Path) -> Harness:
    folder.mkdir(exist_ok=True)
    return Harness(folder, SERVICES)


def pressed(made: Harness, times: int) -> None:
    for number in range(times):
        made.send("button", ToyPress(button="a", note=f"{made.loops['button'].writer.head.position}-{number}"))


def copied(folder: Path, name: str) -> Callable[[], None]:
    """A backup of one service's file. Returns what restores it."""
    target = sqlite3.connect(":memory:")
    with sqlite3.connect(folder / f"{name}.sqlite3") as source:
        source.backup(target)

    def restore() -> None:
        for suffix in ("", "-wal", "-shm"):
            (folder / f"{name}.sqlite3{suffix}").unlink(missing_ok=True)
        with sqlite3.connect(folder / f"{name}.sqlite3") as restored:
            target.backup(restored)
        restored.close()

    return restore


def closed(made: Harness) -> None:
    for runner in made.loops.values():
        runner.writer.engine.dispose()


def restored(folder: Path, name: str) -> None:
    """Five presses, and then the file of one service as it was after the second."""
    made = market(folder)
    pressed(made, 2)
    restore = copied(folder, name)
    pressed(made, 3)
    closed(made)
    restore()


def writers(made: Harness) -> tuple[Writer, Writer]:
    return made.loops["button"].writer, made.loops["lamp"].writer


def test_the_owner_of_a_log_that_was_restored_decides_nothing_and_its_reader_stops(tmp_path: Path) -> None:
    restored(tmp_path, "button")

    again = market(tmp_path)
    owner, reader = writers(again)
    reply = again.send("button", ToyPress(button="a"))

    found = Divergence("lamp", "button", position=5, head=2)
    assert (reply.outcome, reply.code, reply.status) == ("failed", HALTED, 503)
    assert owner.contested == {"lamp": found}
    assert reader.diverged == {"button": found}
    assert "its last 3 events are lost" in owner.halted
    assert (owner.head.position, reader.positions) == (2, {"button": 5})
    closed(again)


def test_a_reader_that_was_restored_reads_again_and_nobody_stops(tmp_path: Path) -> None:
    restored(tmp_path, "lamp")

    again = market(tmp_path)
    owner, reader = writers(again)

    assert (owner.halted, reader.diverged, reader.positions) == ("", {}, {"button": 5})
    assert again.send("button", ToyPress(button="a")).outcome == "accepted"
    closed(again)


def test_a_log_that_was_set_back_and_went_on_under_a_reader_is_found_by_its_hash(tmp_path: Path) -> None:
    restored(tmp_path, "button")
    alone = Harness(tmp_path, SERVICES[:1])  # its reader is away
    pressed(alone, 6)
    closed(alone)

    again = market(tmp_path)
    owner, reader = writers(again)

    assert reader.diverged == {"button": Divergence("lamp", "button", position=5, head=8)}
    assert reader.positions == {"button": 5}
    assert owner.halted
    closed(again)


def test_when_the_right_log_is_put_back_all_go_on(tmp_path: Path) -> None:
    made = market(tmp_path)
    pressed(made, 2)
    older = copied(tmp_path, "button")
    pressed(made, 3)
    newer = copied(tmp_path, "button")
    closed(made)
    older()
    closed(market(tmp_path))
    newer()

    again = market(tmp_path)
    owner, reader = writers(again)

    assert (owner.halted, reader.diverged) == ("", {})
    assert again.send("button", ToyPress(button="a")).outcome == "accepted"
    assert reader.positions == {"button": 6}
    closed(again)


def healed(folder: Path) -> int:
    """As `kameng heal` does it while nobody is at work. Returns how many positions were lost."""
    engines = {one.name: open_engine(f"sqlite:///{folder / one.name}.sqlite3", writer=True) for one in SERVICES}
    wound = healing.examine("button", engines)
    numbers = iter(range(1_000))
    healing.heal(wound, engines["button"], START, lambda: f"lost-{next(numbers)}")
    for reader in wound.readers:
        healing.settle("button", engines["button"], engines[reader])
    for engine in engines.values():
        engine.dispose()
    return wound.lost


def test_a_healed_log_goes_on_and_its_reader_with_it(tmp_path: Path) -> None:
    restored(tmp_path, "button")
    closed(market(tmp_path))  # all of it is found out and stored

    assert healed(tmp_path) == 3

    again = market(tmp_path)
    owner, reader = writers(again)
    assert (owner.halted, reader.diverged, reader.unknown.counts) == ("", {}, {})
    pressed(again, 2)
    assert (owner.head.position, reader.positions) == (7, {"button": 7})
    lit = sum(isinstance(event, ToyLit) for event in again.events("lamp"))
    assert lit == 7  # those that are lost, and those of today
    closed(again)


def test_nothing_of_another_log_is_applied(engine: sa.Engine) -> None:
    reader = start(lamp(), engine)
    reader.process([EventBatch("button", 1, 40, [], log.GENESIS, b"one")])

    reader.process([EventBatch("button", 41, 50, [], b"two", b"three")])
    reader.process([EventBatch("button", 41, 60, [], b"two", b"four")])

    assert reader.positions == {"button": 40}
    assert reader.diverged == {"button": Divergence("lamp", "button", 40, 60)}


def test_a_reader_goes_on_when_its_source_does(engine: sa.Engine) -> None:
    reader = start(lamp(), engine)
    reader.process([EventBatch("button", 1, 40, [], log.GENESIS, b"one")])
    reader.process([EventBatch("button", 41, 50, [], b"two", b"three")])

    reader.process([EventBatch("button", 41, 50, [], b"one", b"five")])

    assert (reader.positions, reader.hashes, reader.diverged) == ({"button": 50}, {"button": b"five"}, {})


def test_what_was_found_is_stored_for_the_next_writer_and_for_all_who_look(engine: sa.Engine) -> None:
    reader = start(lamp(), engine)
    reader.process([EventBatch("button", 1, 40, [], log.GENESIS, b"one")])
    reader.process([])
    reader.diverge(Divergence("lamp", "button", 40, 30))
    reader.store_source_statuses()

    assert start(lamp(), engine).diverged == {"button": Divergence("lamp", "button", 40, 30)}


def test_the_hash_is_stored_with_the_position(engine: sa.Engine) -> None:
    reader = start(lamp(), engine)
    reader.process([EventBatch("button", 1, 40, [], log.GENESIS, b"one")])
    reader.process([])

    with engine.connect() as connection:
        assert reached_by(connection) == {"button": ReaderPosition(40, b"one")}


def test_a_reader_of_an_earlier_version_takes_the_hash_on(engine: sa.Engine) -> None:
    reader = start(lamp(), engine)
    reader.process([EventBatch("button", 1, 40, [])])
    assert reader.hashes == {"button": b""}

    assert reader.hash_agrees("button", 40, b"one")
    assert not reader.hash_agrees("button", 40, b"two")


def test_a_halted_writer_does_nothing_that_is_due(engine: sa.Engine) -> None:
    writer = start(button(), engine)
    writer.process([press("1")])
    writer.contest(Divergence("lamp", "button", 9, 1))

    (reply,) = replies(writer, press("2"))

    assert (reply.outcome, reply.status, writer.next_due(), writer.is_due()) == ("failed", 503, None, False)
    assert len(logged(writer)) == 1
    writer.compare("lamp", ReaderPosition(1))
    assert [one.outcome for one in replies(writer, press("2"))] == ["accepted"]


@given(st.integers(0, 6), st.integers(1, 6), st.integers(0, 6), st.booleans())
def test_a_slice_fits_only_the_log_it_is_of(reached: int, first: int, length: int, is_same: bool) -> None:
    """Chains of numbers: the hash at a position tells the log and the position."""

    def hash_(position: int, name: str) -> bytes:
        return f"{name}{position}".encode()

    part = EventBatch("button", first, first + length - 1, [], hash_(first - 1, "x"), hash_(first + length - 1, "x"))

    found = fit(part, reached, hash_(reached, "x" if is_same else "y"))

    assert (found == "next") == (is_same and length > 0 and part.first == reached + 1)
    if not is_same and reached in (part.first - 1, part.last):
        assert found == "other"
    if found == "old":
        assert part.last <= reached


@pytest.mark.parametrize(("position", "hash_", "expected"), [(0, b"", False), (2, b"", False), (3, b"", True)])
def test_a_log_says_what_it_has_against_a_reader(
    engine: sa.Engine, position: int, hash_: bytes, expected: bool
) -> None:
    writer = start(button(), engine)
    writer.process([press("1"), press("2")])

    with engine.connect() as connection:
        assert (divergence(connection, "lamp", "button", ReaderPosition(position, hash_)) is not None) == expected
        assert divergence(connection, "lamp", "button", ReaderPosition(2, writer.head.hash)) is None
        assert divergence(connection, "lamp", "button", ReaderPosition(2, b"another")) == Divergence(
            "lamp", "button", 2, 2
        )
