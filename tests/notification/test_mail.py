"""E-mail, over a real mail server."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiosmtpd.smtp import DATA_SIZE_DEFAULT

from services.notification.adapters.letter import Letter, Undeliverable, Unsent
from services.notification.adapters.mail import Mail, MailServer
from tests.notification.builders import NOW, Mailbox, mail_server

LETTER = Letter(
    id="order-completed/o-1",
    to="buyer@example.org",
    template="order-completed",
    locale="zh",
    subject="您的订单 o-1 已完成",
    text="您好：\n订单页 https://shop.example/orders/o-1\n",
    params={},
    order_id="o-1",
    queued_at=NOW.isoformat(),
)


def over(mailbox: Mailbox) -> Mail:
    return Mail(MailServer.parse(mailbox.url), "shop@kameng.invalid", lambda: NOW)


def to(address: str) -> Letter:
    return Letter(LETTER.id, address, "t", "zh", "s", "t", {}, None, LETTER.queued_at)


def test_a_letter_arrives_whole_and_a_repeated_one_can_be_recognised():
    with mail_server() as mailbox:
        over(mailbox).send(LETTER)
        over(mailbox).send(LETTER)

    first, second = mailbox.taken
    assert mailbox.recipients == [["buyer@example.org"]] * 2
    assert (first["From"], first["To"], first["Subject"]) == ("shop@kameng.invalid", LETTER.to, LETTER.subject)
    assert first.get_content().replace("\r\n", "\n") == LETTER.text
    assert first["Date"] == "Thu, 01 Jan 2026 08:00:00 +0000"
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Message-ID"].endswith("@kameng.invalid>")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b@c",
        "a@x.org,b@x.org",
        "a@x.org\r\nBcc: b@x.org",
        "A <a@x.org>",
        "a\x00b@x.org",
        "https://x.org",
    ],
)
def test_what_is_no_single_address_is_refused_before_anything_is_sent(address: str):
    with mail_server() as mailbox, pytest.raises(Undeliverable, match="not an e-mail address"):
        over(mailbox).send(to(address))
    assert mailbox.taken == []


def test_an_unknown_recipient_is_not_tried_again_and_not_named():
    with mail_server() as mailbox, pytest.raises(Undeliverable) as refused:
        over(mailbox).send(to("nobody@example.org"))
    assert str(refused.value) == "the recipient was refused: 550"


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        ("451 come back later", Unsent, "SMTP 451"),
        ("554 not this", Undeliverable, "the message was refused: 554"),
    ],
)
def test_a_servers_no_for_now_differs_from_its_no_for_good(reply: str, error: type[Exception], text: str):
    with mail_server() as mailbox:
        mailbox.replies.append(reply)
        with pytest.raises(error) as refused:
            over(mailbox).send(LETTER)
    assert str(refused.value) == text
    assert mailbox.taken == []


@pytest.mark.parametrize("address", ["张三@example.org", "a@例子.中国", "a\ud800@example.org", "ä@example.org"])
def test_what_no_try_can_send_is_not_tried_again(address: str):
    with mail_server(takes_utf8=False) as mailbox, pytest.raises(Undeliverable) as no:
        over(mailbox).send(to(address))
    assert mailbox.taken == []
    assert address not in str(no.value)


def test_a_text_that_mail_has_no_form_for_is_not_tried_again():
    with mail_server() as mailbox, pytest.raises(Undeliverable, match="can't be written as a mail"):
        over(mailbox).send(replace(LETTER, text="half a character: \ud800"))
    assert mailbox.taken == []


def test_a_letter_that_is_too_large_for_the_server_is_not_tried_again():
    line = "x" * 900 + "\n"
    with mail_server() as mailbox, pytest.raises(Undeliverable, match="the message was refused: 552"):
        over(mailbox).send(replace(LETTER, text=line * (DATA_SIZE_DEFAULT // len(line) + 1)))
    assert mailbox.taken == []


def test_a_server_that_is_away_is_tried_again():
    with mail_server() as mailbox:
        mail = over(mailbox)
    with pytest.raises(Unsent, match="ConnectionRefusedError"):
        mail.send(LETTER)


def test_a_password_is_never_sent_in_the_clear_nor_shown():
    with mail_server() as mailbox:
        server = MailServer.parse(f"smtp://shop:pass%40word@127.0.0.1:{mailbox.port}")
        with pytest.raises(Unsent, match="SMTPNotSupportedError"):
            Mail(server, "shop@kameng.invalid", lambda: NOW).send(LETTER)
    assert server.password == "pass@word"
    assert "pass" not in repr(server).replace("password", "")


def test_a_servers_url_is_read():
    assert MailServer.parse("smtp://mail.example") == MailServer("mail.example", 25, False)
    assert MailServer.parse("smtps://u:p@mail.example") == MailServer("mail.example", 465, True, "u", "p")
    for wrong in ("http://u:secret@mail.example", "mail.example:25", "smtp://"):
        with pytest.raises(ValueError, match="smtp://host:port") as error:
            MailServer.parse(wrong)
        assert "secret" not in str(error.value)
