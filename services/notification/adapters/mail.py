"""E-mail over SMTP."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

from services.notification.adapters.letter import Letter, Undeliverable, Unsent
from shared.contracts.notification import MessageChannel

ADDRESS = re.compile(r"""[^\s\x00-\x1f\x7f@<>()\[\],;:"\\]{1,64}@[^\s\x00-\x1f\x7f@<>()\[\],;:"\\]{1,255}""")
TIMEOUT_SECONDS = 10.0
TOO_LARGE = 552


@dataclass(frozen=True)
class MailServer:
    """A mail server: `smtp://host:port`, with STARTTLS if the server offers it, or `smtps://...`.

    A user and a password may stand before the host, percent-encoded. They are only sent encrypted.
    """

    host: str
    port: int
    implicit_tls: bool
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError, which does not repeat the URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("a mail server's URL is smtp://host:port or smtps://user:password@host:port")
        implicit_tls = parts.scheme == "smtps"
        port = parts.port or (465 if implicit_tls else 25)
        return cls(parts.hostname, port, implicit_tls, unquote(parts.username or ""), unquote(parts.password or ""))

    def connect(self) -> smtplib.SMTP:
        """An open connection, signed in when there is a user. Raises OSError or smtplib's exceptions."""
        if self.implicit_tls:
            connection = smtplib.SMTP_SSL(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
            )
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            self._secure(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secure(self, connection: smtplib.SMTP) -> None:
        connection.ehlo_or_helo_if_needed()
        encrypted = self.implicit_tls
        if not encrypted and connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
            encrypted = True
        if self.user and not encrypted:
            raise smtplib.SMTPNotSupportedError("the server offers no encryption to sign in over")
        if self.user:
            connection.login(self.user, self.password)


@dataclass(frozen=True)
class Mail:
    """Sends letters by e-mail. Their Message-ID derives from the letter's id alone."""

    server: MailServer
    mail_from: str
    now: Callable[[], datetime]
    channel: ClassVar[MessageChannel] = "email"

    def send(self, letter: Letter) -> None:
        if not ADDRESS.fullmatch(letter.to):
            raise Undeliverable("not an e-mail address")
        try:
            with self.server.connect() as connection:
                self._hand_over(connection, letter)
        except (smtplib.SMTPException, OSError) as error:
            raise _explained(error) from error

    def _hand_over(self, connection: smtplib.SMTP, letter: Letter) -> None:
        """Raises Undeliverable for a letter that can never be a mail or pass this server, and smtplib's exceptions."""
        try:
            connection.send_message(self._compose(letter), self.mail_from, [letter.to])
        except smtplib.SMTPNotSupportedError as error:
            raise Undeliverable("the mail server can't carry an address like this") from error
        except (ValueError, MessageError) as error:  # a header or a character that a mail can't hold
            raise Undeliverable(f"it can't be written as a mail: {type(error).__name__}") from error

    def _compose(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self.mail_from
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self.now())
        message["Message-ID"] = self.header_id(letter)
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        return message

    def header_id(self, letter: Letter) -> str:
        """The Message-ID header, the same in every try."""
        name = hashlib.sha256(letter.id.encode()).hexdigest()[:40]
        return f"<{name}@{self.mail_from.rpartition('@')[2]}>"


def _explained(error: smtplib.SMTPException | OSError) -> Undeliverable | Unsent:
    # Servers repeat addresses in their replies, so only the code is recorded.
    match error:
        case smtplib.SMTPRecipientsRefused():
            code = max(code for code, _ in error.recipients.values())
            return Undeliverable(f"the recipient was refused: {code}") if code >= 500 else Unsent(f"SMTP {code}")
        case smtplib.SMTPSenderRefused(smtp_code=code) if code == TOO_LARGE:
            return Undeliverable(f"the message was refused: {code}")
        case smtplib.SMTPDataError() if error.smtp_code >= 500:
            return Undeliverable(f"the message was refused: {error.smtp_code}")
        case smtplib.SMTPResponseException():
            return Unsent(f"SMTP {error.smtp_code}")
        case _:
            return Unsent(f"mail server: {type(error).__name__}")
