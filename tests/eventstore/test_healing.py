"""A log that was restored from an older backup goes on behind all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts import PositionLost
from shared.eventstore import chain_check, checkpoints, healing, log, log_reader, schema
from shared.eventstore.divergence import (
    Divergence,
    ReaderPosition,
    disagreements,
    reached_by,
)
from shared.eventstore.engines import open_engine
from shared.eventstore.healing import (
    KnownUpTo,
    LostRange,
    PublishedMark,
    examine,
    heal,
    settle,
)
from tests.databases import NewDatabase
from tests.eventstore.builders import append, events
from tests.runtime.builders import START

NOW = START + timedelta(days=1)
Logs = Mapping[str, sa.Engine]


def number(name: str) -> Iterator[str]:
    return (f"{name}-{one}" for one in count())


@pytest.fixture
def logs(new_database: NewDatabase) -> Iterator[Logs]:
    """The button's log, and two who read it."""
    made = {name: open_engine(new_database(), writer=True) for name in ("button", "lamp", "bell")}
    for name, engine in made.items():
        with engine.begin() as connection:
            log.create(connection, [] if name == "button" else ["button"])
    yield made
    for engine in made.values():
        engine.dispose()


def grown(logs: Logs, length: int) -> None:
    with logs["button"].connect() as connection:
        head = log.read_head(connection)
    append(logs["button"], head, events(head.position + 1, length - head.position))


def hash_at(logs: Logs, position: int) -> bytes:
    with logs["button"].connect() as connection:
        return log_reader.hash_at(connection, position)


def read(logs: Logs, reader: str, position: int) -> None:
    with logs[reader].begin() as connection:
        found = reached_by(connection)["button"]
        log.move_reader(connection, "button", found.position, position, hash_at(logs, position))


def set_back(logs: Logs, position: int) -> None:
    """As when its database is restored."""
    with logs["button"].begin() as connection:
        connection.execute(sa.delete(schema.log).where(schema.log.c.position > position))
        last = connection.execute(sa.select(schema.log).where(schema.log.c.position == position)).one_or_none()
        at, hash_ = (last.at, last.hash) if last else (log.EPOCH, log.GENESIS)
        connection.execute(sa.update(schema.head).values(position=position, at=at, hash=hash_))


def healed(logs: Logs, wound: LostRange) -> None:
    heal(wound, logs["button"], NOW, number("id").__next__)
    for reader in wound.readers:
        settle("button", logs["button"], logs[reader])


def positions(logs: Logs) -> list[int]:
    return [one.position for one in log_reader.read_all(logs["button"], "button")]


def test_a_log_that_all_agree_on_needs_nothing(logs: Logs) -> None:
    grown(logs, 5)
    read(logs, "lamp", 5)

    assert not examine("button", logs, PublishedMark(5, hash_at(logs, 5)))


def test_what_is_known_anywhere_is_filled_and_readers_agree_again(logs: Logs) -> None:
    grown(logs, 40)
    read(logs, "lamp", 30)
    read(logs, "bell", 8)
    mark = PublishedMark(35, hash_at(logs, 35), safe=33)
    set_back(logs, 10)

    wound = examine("button", logs, mark, [KnownUpTo("a webhook", 37)])
    healed(logs, wound)

    assert (wound.kept, wound.upto, wound.lost, wound.readers, wound.mark) == (10, 37, 27, ("lamp",), mark)
    assert {one.position for one in wound.known} == {30, 35, 37}
    assert positions(logs) == list(range(1, 38))
    assert chain_check.check_chain(logs["button"]) is None
    assert list(disagreements(logs)) == []
    assert not examine("button", logs, mark, [KnownUpTo("a webhook", 37)])
    with logs["lamp"].connect() as connection:
        assert reached_by(connection) == {"button": ReaderPosition(30, hash_at(logs, 30))}
    with logs["button"].connect() as connection:
        assert checkpoints.stored(connection, checkpoints.PUBLISHER) == 33
        assert checkpoints.stored(connection, checkpoints.PUBLISHED_BEFORE_HEALING) == 35


def test_the_filler_says_what_was_lost(logs: Logs) -> None:
    grown(logs, 12)
    read(logs, "lamp", 12)
    set_back(logs, 10)
    wound = examine("button", logs)

    healed(logs, wound)

    lost = list(log_reader.read_all(logs["button"], "button", after=10))
    assert [one.event for one in lost] == 2 * [PositionLost(log="button", kept=10, upto=12, since=wound.since)]
    assert [(one.stream, one.version, one.at) for one in lost] == [("log-button", 1, NOW), ("log-button", 2, NOW)]
    assert len({one.id for one in lost}) == 2


def test_a_log_is_healed_again_when_it_was_lost_again(logs: Logs) -> None:
    for length, back in ((9, 6), (15, 12)):
        grown(logs, length)
        read(logs, "lamp", length)
        set_back(logs, back)
        healed(logs, examine("button", logs))

    assert positions(logs) == list(range(1, 16))
    assert chain_check.check_chain(logs["button"]) is None


def test_healing_that_broke_off_is_done_again(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "BATCH", 3)
    grown(logs, 20)
    read(logs, "lamp", 20)
    set_back(logs, 4)

    def breaks(done: int, _: int) -> None:
        if done > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        heal(examine("button", logs), logs["button"], NOW, number("a").__next__, breaks)
    wound = examine("button", logs)
    assert (wound.kept, wound.upto) == (10, 20)
    heal(wound, logs["button"], NOW, number("b").__next__)
    again = examine("button", logs)  # the reader has not been told
    assert (again.lost, again.readers) == (0, ("lamp",))
    healed(logs, again)

    assert not examine("button", logs)
    assert chain_check.check_chain(logs["button"]) is None


def test_a_writer_that_comes_in_between_fences_it(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healing, "BATCH", 1)
    grown(logs, 9)
    read(logs, "lamp", 9)
    set_back(logs, 4)

    def writer_begins(done: int, _: int) -> None:
        with logs["button"].begin() as connection:
            log.next_epoch(connection)

    with pytest.raises(log.Fenced):
        heal(examine("button", logs), logs["button"], NOW, number("a").__next__, writer_begins)


def test_a_reader_of_a_log_that_went_on_cannot_be_healed(logs: Logs) -> None:
    grown(logs, 9)
    read(logs, "lamp", 9)
    set_back(logs, 4)
    with logs["button"].connect() as connection:
        head = log.read_head(connection)
    append(logs["button"], head, events(5, 8, stream="button-b"))

    assert examine("button", logs).contrary == (Divergence("lamp", "button", 9, 12),)


def test_a_log_that_went_on_publishes_no_position_twice(logs: Logs) -> None:
    grown(logs, 9)
    mark = PublishedMark(9, hash_at(logs, 9), safe=7)
    set_back(logs, 4)
    with logs["button"].connect() as connection:
        head = log.read_head(connection)
    append(logs["button"], head, events(5, 8, stream="button-b"))

    wound = examine("button", logs, mark)
    healed(logs, wound)

    assert (wound.lost, wound.mark) == (0, mark)
    with logs["button"].connect() as connection:
        assert checkpoints.stored(connection, checkpoints.PUBLISHER) == 9
    assert not examine("button", logs, mark)


def test_what_was_to_be_called_is_looked_up_first(logs: Logs) -> None:
    grown(logs, 3)
    row = {
        "name": "buy", "payload": "{}", "meta": "{}", "token": "t", "due_at": log.to_text(NOW), "state": "waiting",
    }  # fmt: skip
    with logs["button"].begin() as connection:
        for key, kind, attempts in (("a", "effect", 0), ("b", "effect", 3), ("c", "command", 0)):
            connection.execute(sa.insert(schema.agenda).values(key=key, kind=kind, attempts=attempts, **row))

    healed(logs, examine("button", logs, None, [KnownUpTo("an operator", 5)]))

    with logs["button"].connect() as connection:
        found = connection.execute(sa.select(schema.agenda.c.key, schema.agenda.c.attempts)).all()
    assert {row.key: row.attempts for row in found} == {"a": 1, "b": 3, "c": 0}


def emptied(logs: Logs) -> None:
    set_back(logs, 0)
    with logs["button"].begin() as connection:
        connection.execute(sa.delete(schema.checkpoints))
    for reader in ("lamp", "bell"):
        with logs[reader].begin() as connection:
            connection.execute(sa.update(schema.readers).values(position=0, hash=None))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 30), min_size=5, max_size=5))
def test_no_position_is_given_twice(logs: Logs, drawn: list[int]) -> None:
    """Whatever was read, told and lost: the log goes on behind it, whole, and all agree."""
    length = max(drawn)
    lamp, bell, kept, upto, safe = drawn
    emptied(logs)
    grown(logs, length)
    read(logs, "lamp", lamp)
    read(logs, "bell", bell)
    mark = PublishedMark(upto, hash_at(logs, upto), min(safe, upto))
    set_back(logs, kept)

    wound = examine("button", logs, mark)
    healed(logs, wound)

    assert wound.upto == max(kept, lamp, bell, upto)
    assert positions(logs) == list(range(1, wound.upto + 1))
    assert chain_check.check_chain(logs["button"]) is None
    assert list(disagreements(logs)) == []
    assert not examine("button", logs, mark)
