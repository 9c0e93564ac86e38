"""A message is queued once, and ends once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise

from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.notification.domain import Message, decide
from shared.contracts import Event
from shared.contracts.notification import (
    MessageFailed,
    MessageGathered,
    MessageQueued,
    MessageSent,
    RecordSending,
    SendMessage,
    TellGathered,
)
from tests.notification.builders import NOW, folded, given, mail, staff_webhook

SENT = RecordSending(message_id=mail().message_id, sent=True, attempts=1, channel="email")
FAILED = RecordSending(message_id=mail().message_id, sent=False, attempts=15, reason="SMTP 451")


def queued() -> list[Event]:
    return decide(mail(), Message(), given())


def test_a_message_is_queued_as_it_was_asked_for():
    command = mail()
    assert queued() == [
        MessageQueued(**command.model_dump(exclude={"again_after_seconds", "gather"}), round=1, again_from=None)
    ]


def test_the_same_message_is_queued_once_whatever_became_of_it():
    for ending in ([], [SENT], [FAILED]):
        history = queued()
        for record in ending:
            history += decide(record, folded(*history), given())
        assert decide(mail(), folded(*history), given(NOW + timedelta(days=365))) == []


def test_what_was_sent_is_recorded_once_with_the_channel_it_went_through():
    state = folded(*queued())
    by_console = SENT.model_copy(update={"channel": "console"})
    events = decide(by_console, state, given())
    assert events == [MessageSent(message_id=mail().message_id, channel="console", attempts=1)]
    assert decide(by_console, folded(*queued(), *events), given()) == []


def test_a_failure_is_recorded_once_and_a_later_success_still_counts():
    events = decide(FAILED, folded(*queued()), given())
    assert events == [MessageFailed(message_id=mail().message_id, channel="email", attempts=15, reason="SMTP 451")]
    state = folded(*queued(), *events)
    assert decide(FAILED, state, given()) == []
    assert isinstance(decide(SENT, state, given())[0], MessageSent)


def test_nothing_is_recorded_of_a_message_that_nobody_asked_for():
    assert decide(SENT, Message(), given()) == []


def test_staffs_webhook_is_skipped_while_there_is_none():
    assert decide(staff_webhook(), Message(), given(staff_webhook=False)) == []
    assert len(decide(staff_webhook(), Message(), given(staff_webhook=True))) == 1
    to_a_url = staff_webhook(to="https://partner.example/hook")
    assert len(decide(to_a_url, Message(), given(staff_webhook=False))) == 1


def test_an_alert_that_may_recur_comes_again_after_its_pause():
    alert = staff_webhook(again_after_seconds=600)
    first = decide(alert, Message(), given())
    state = folded(*first)

    assert decide(alert, state, given(NOW + timedelta(seconds=599))) == []
    second = decide(alert, state, given(NOW + timedelta(seconds=600)))

    assert [event.round for event in (*first, *second) if isinstance(event, MessageQueued)] == [1, 2]
    late = RecordSending(message_id=alert.message_id, sent=True, attempts=3, round=1)
    assert decide(late, folded(*first, *second), given()) == []


def case(number: int) -> SendMessage:
    params: dict[str, str | int] = {"amount": f"{number}.00 CNY", "rules": 1}
    changes = {"message_id": "case-opened/webhook", "template": "case-opened", "params": params}
    return staff_webhook(**changes, order_id=f"o{number}", again_after_seconds=600, gather=True)


TELL = TellGathered(message_id=case(1).message_id)


def sending(round: int, *, sent: bool) -> RecordSending:
    return RecordSending(message_id=case(1).message_id, sent=sent, attempts=1, round=round)


def live(commands: Iterable[tuple[SendMessage | TellGathered | RecordSending, int]]) -> list[Event]:
    """What comes of these commands, each so many seconds after the start."""
    history: list[Event] = []
    for command, seconds in commands:
        history += decide(command, folded(*history), given(NOW + timedelta(seconds=seconds)))
    return history


def test_what_comes_within_the_pause_shares_one_message_at_its_end():
    history = live([(case(0), 0), (sending(1, sent=True), 0), *((case(n), n) for n in range(1, 100)), (TELL, 600)])
    first, _, *gathered, last = history

    assert isinstance(first, MessageQueued)
    assert (first.order_id, first.params["more"], first.again_from) == ("o0", 0, NOW + timedelta(seconds=600))
    assert [type(event) for event in gathered] == [MessageGathered] * 99
    assert isinstance(last, MessageQueued)
    assert (last.order_id, last.params, last.round) == ("o99", {"amount": "99.00 CNY", "rules": 1, "more": 98}, 2)
    assert last.again_from == NOW + timedelta(seconds=1_200)


def test_where_nothing_came_within_the_pause_nothing_is_sent():
    assert [type(event) for event in live([(TELL, 0), (case(1), 0), (TELL, 600)])] == [MessageQueued]
    assert [type(event) for event in live([(case(1), 0), (case(2), 1), (TELL, 600), (TELL, 1_200)])] == [
        MessageQueued,
        MessageGathered,
        MessageQueued,
    ]


def test_the_next_message_counts_what_was_never_sent():
    later = [(case(2), 10), (case(3), 20), (TELL, 600), (case(4), 700), (TELL, 1_200)]
    for never in ([], [(sending(1, sent=False), 5)]):
        queued = [event for event in live([(case(1), 0), *never, *later]) if isinstance(event, MessageQueued)]
        assert [(event.order_id, event.params["more"]) for event in queued] == [("o1", 0), ("o3", 2), ("o4", 3)]
    alone = live([(case(1), 0), (sending(1, sent=False), 5), (case(2), 10_000)])
    assert isinstance(alone[-1], MessageQueued)
    assert alone[-1].params["more"] == 1


def test_the_next_message_does_not_count_what_was_sent_after_all():
    history = live([(case(1), 0), (sending(1, sent=False), 5), (sending(1, sent=True), 6), (case(2), 7), (TELL, 600)])
    assert isinstance(history[-1], MessageQueued)
    assert history[-1].params["more"] == 0


STEPS = st.one_of(
    st.sampled_from([case(1), case(2), TELL]),
    st.builds(sending, st.integers(1, 6), sent=st.booleans()),
    st.sampled_from(["sent", "failed"]),
)


@for_all(st.lists(st.tuples(STEPS, st.integers(0, 400)), max_size=30))
def test_each_alert_is_in_one_message_and_two_messages_are_a_pause_apart(
    steps: list[tuple[SendMessage | RecordSending | str, int]],
):
    """Whatever fails to be sent in between. A `TellGathered` comes when the pause is over, never before; "sent" and
    "failed" are what became of the round under way, a number that of any round."""
    history: list[Event] = []
    now, asked = NOW, 0
    for step, seconds in [*steps, (TELL, 400), ("failed", 0), (case(3), 700), (TELL, 400), ("sent", 0)]:
        state, now = folded(*history), now + timedelta(seconds=seconds)
        command = sending(max(1, state.round), sent=step == "sent") if isinstance(step, str) else step
        if command == TELL and state.again_from is not None:
            now = max(now, state.again_from)
        asked += isinstance(command, SendMessage)
        history += decide(command, state, given(now))

    queued = [event for event in history if isinstance(event, MessageQueued)]
    assert sum(1 + int(event.params["more"]) for event in sent_of(history)) == asked
    starts = [event.again_from for event in queued if event.again_from]
    assert all(later - earlier >= timedelta(seconds=600) for earlier, later in pairwise(starts))


def sent_of(history: Iterable[Event]) -> list[MessageQueued]:
    """The rounds that were sent."""
    sent: list[MessageQueued] = []
    last: MessageQueued | None = None
    for event in history:
        if isinstance(event, MessageQueued):
            last = event
        elif isinstance(event, MessageSent):
            assert last is not None
            sent.append(last)
    return sent


def test_a_message_of_the_version_before_is_read():
    """Its alerts were not counted: there was one a message."""
    before = MessageQueued(**case(1).model_dump(exclude={"again_after_seconds", "gather"}), again_from=NOW)
    assert "more" not in before.params
    [event] = decide(case(2), folded(before), given())
    assert isinstance(event, MessageQueued)
    assert event.params["more"] == 1


def test_a_state_survives_a_snapshot():
    adapter = TypeAdapter(Message)
    state = folded(*live([(case(1), 0), (case(2), 1)]))
    assert state.gathered is not None
    assert adapter.validate_json(adapter.dump_json(state)) == state


COMMANDS = st.lists(
    st.one_of(
        st.just(mail()),
        st.builds(
            RecordSending,
            message_id=st.just(mail().message_id),
            sent=st.booleans(),
            attempts=st.integers(1, 15),
            round=st.integers(1, 2),
        ),
    ),
    max_size=12,
)


@for_all(COMMANDS)
def test_however_commands_repeat_a_message_is_queued_once_and_sent_once(commands: list[SendMessage | RecordSending]):
    history: list[Event] = []
    for command in commands:
        history += decide(command, folded(*history), given())
    kinds = [type(event) for event in history]
    assert kinds.count(MessageQueued) == int(mail() in commands)
    assert kinds.count(MessageSent) <= 1
    assert kinds.count(MessageFailed) <= 1
    assert kinds[-1:] != [MessageFailed] or MessageSent not in kinds
