"""A message is queued once, and ends once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given as for_all
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.notification.domain import Message, decide
from shared.contracts import Event
from shared.contracts.notification import MessageFailed, MessageQueued, MessageSent, RecordSending, SendMessage
from tests.notification.builders import NOW, folded, given, mail, staff_webhook

SENT = RecordSending(message_id=mail().message_id, sent=True, attempts=1, channel="email")
FAILED = RecordSending(message_id=mail().message_id, sent=False, attempts=15, reason="SMTP 451")


def queued() -> list[Event]:
    return decide(mail(), Message(), given())


def test_a_message_is_queued_as_it_was_asked_for():
    command = mail()
    assert queued() == [MessageQueued(**command.model_dump(exclude={"again_after_seconds"}), round=1, again_from=None)]


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


def test_a_state_survives_a_snapshot():
    adapter = TypeAdapter(Message)
    state = folded(*decide(staff_webhook(again_after_seconds=60), Message(), given()))
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
