"""Notification as a host runs it, with real servers at the other end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as Signer
from structlog.testing import capture_logs

from services.notification.adapters.effects import ATTEMPTS
from services.notification.projection import MESSAGES
from services.notification.service import SERVICE
from shared.contracts.notification import MessageFailed, MessageQueued, MessageSent
from shared.runtime.settings import Settings
from tests.notification.builders import ORDER, mail, mail_server, staff_webhook, webhook
from tests.platform.harness import Harness


def start(folder: Path, *, smtp_url: str | None = None, staff_webhook_url: str | None = None) -> Harness:
    """A host whose clock agrees with a receiver that checks the time of a signature."""
    settings = Settings(
        var=folder, public_url="https://shop.example/", smtp_url=smtp_url, staff_webhook_url=staff_webhook_url
    )
    return Harness(folder, [SERVICE], settings=settings, now=datetime.now(UTC))


def records(harness: Harness) -> list[dict[str, object]]:
    with harness.loops["notification"].writer.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(MESSAGES)).mappings()]


def test_a_buyers_mail_arrives_once_with_a_link_that_holds_no_secret(tmp_path: Path):
    with mail_server() as mailbox:
        harness = start(tmp_path, smtp_url=mailbox.url)
        for _ in range(2):
            assert harness.send("notification", mail()).outcome == "accepted"

    (letter,) = mailbox.taken
    assert letter["Subject"] == f"Your order {ORDER} is complete"
    links = [word for word in letter.get_content().split() if "://" in word]
    assert links == [f"https://shop.example/orders/{ORDER}"]
    assert harness.events("notification", MessageSent) == [
        MessageSent(message_id=mail().message_id, channel="email", attempts=1)
    ]
    assert not harness.parked()


def test_mail_goes_to_the_console_while_there_is_no_server_and_the_record_says_so(tmp_path: Path):
    with capture_logs() as lines:
        harness = start(tmp_path)
        harness.send("notification", mail())

    fields = {"message_id": mail().message_id, "template": "order-completed"}
    subject = f"Your order {ORDER} is complete"
    assert lines == [{"event": "message", "log_level": "info", "subject": subject, **fields}]
    assert [(row["status"], row["channel"]) for row in records(harness)] == [("sent", "console")]


def test_a_webhook_is_tried_until_it_is_taken_and_sent_once(tmp_path: Path):
    with webhook() as hook:
        hook.statuses += [500, 503, 500]
        harness = start(tmp_path, staff_webhook_url=hook.url)
        harness.send("notification", staff_webhook())
        assert len(hook.received) == 1
        for _ in range(5):
            harness.advance(10)
            harness.send("notification", staff_webhook())

    assert len(hook.received) == 4
    assert len({body for _, body in hook.received}) == 1
    signer = Signer(harness.secrets.get("webhook"))
    for headers, body in hook.received:
        assert signer.verify(body, dict(headers))["data"]["message_id"] == staff_webhook().message_id
    assert harness.events("notification", MessageSent) == [
        MessageSent(message_id=staff_webhook().message_id, channel="webhook", attempts=4)
    ]
    assert not harness.parked()


def test_a_message_that_never_goes_through_is_given_up_and_says_why(tmp_path: Path):
    with webhook() as hook:
        hook.statuses += [500] * 100
        harness = start(tmp_path, staff_webhook_url=hook.url)
        harness.send("notification", staff_webhook())
        for _ in range(2 * ATTEMPTS):
            harness.advance(1_000)

    assert len(hook.received) == ATTEMPTS
    (failed,) = harness.events("notification", MessageFailed)
    assert isinstance(failed, MessageFailed)
    assert (failed.channel, failed.attempts) == ("webhook", ATTEMPTS)
    assert failed.reason == "webhook: HTTP 500"
    assert "hush" not in str(harness.events("notification"))
    assert [(row["status"], row["attempts"]) for row in records(harness)] == [("failed", ATTEMPTS)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": "not an address"}, "not an e-mail address"),
        ({"template": "no-such"}, "no template is called no-such"),
        ({"params": {}}, "template order-completed: 'delivered' is undefined"),
        ({"channel": "webhook", "to": "file:///etc/passwd"}, "not an http or https address"),
        ({"to": "staff"}, "staff has no email address"),
    ],
)
def test_what_can_never_be_sent_fails_at_once(tmp_path: Path, changes: dict[str, object], reason: str):
    with mail_server() as mailbox:
        harness = start(tmp_path, smtp_url=mailbox.url)
        harness.send("notification", mail(**changes))
    (failed,) = harness.events("notification", MessageFailed)
    assert isinstance(failed, MessageFailed)
    assert (failed.attempts, failed.reason) == (1, reason)
    assert mailbox.taken == []


def test_staffs_webhook_is_skipped_while_there_is_none(tmp_path: Path):
    harness = start(tmp_path)
    harness.send("notification", staff_webhook())
    assert harness.events("notification") == []


def test_a_new_round_of_an_alert_goes_out_under_its_own_id(tmp_path: Path):
    alert = staff_webhook(again_after_seconds=60)
    with webhook() as hook:
        harness = start(tmp_path, staff_webhook_url=hook.url)
        for seconds in (0, 30, 30):
            harness.advance(seconds)
            harness.send("notification", alert)

    ids = [{key.lower(): value for key, value in headers.items()}["webhook-id"] for headers, _ in hook.received]
    assert ids == [alert.message_id, f"{alert.message_id}#2"]
    assert len(harness.events("notification", MessageQueued)) == len(harness.events("notification", MessageSent)) == 2


def test_a_burst_of_cases_is_two_messages_and_the_agenda_tells_the_second(tmp_path: Path):
    with webhook() as hook:
        harness = start(tmp_path, staff_webhook_url=hook.url)
        for number in range(5):
            params: dict[str, str | int] = {"amount": "5.00 CNY", "rules": 1}
            message = staff_webhook(message_id="case-opened/webhook", template="case-opened", params=params)
            changes = {"order_id": f"o{number}", "again_after_seconds": 600, "gather": True}
            harness.send("notification", message.model_copy(update=changes))
        assert len(hook.received) == 1
        harness.advance(599)
        assert len(hook.received) == 1
        harness.advance(1)
        assert len(hook.received) == 2
        harness.advance(3_600)

    assert len(hook.received) == 2
    assert b'"more":3' in hook.received[1][1].replace(b" ", b"")
