"""Messages, and the machines that they are sent to."""

from __future__ import annotations

from asyncio.base_events import Server
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notification.domain import Message, Reach, evolve
from shared.contracts import DecisionContext, Event, Metadata
from shared.contracts.notification import SendMessage

NOW = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
META = Metadata(correlation_id="flow-1", causation_id="order/1")
ORDER = "0199-order"


def mail(**changes: Any) -> SendMessage:
    command = SendMessage(
        message_id=f"order-completed/{ORDER}",
        channel="email",
        to="buyer@example.org",
        template="order-completed",
        locale="en",
        params={"delivered": "50.00 CNY", "undelivered": ""},
        order_id=ORDER,
    )
    return command.model_copy(update=changes)


def staff_webhook(**changes: Any) -> SendMessage:
    command = SendMessage(
        message_id="stock-low/SKU-1/webhook",
        channel="webhook",
        to="staff",
        template="stock-low",
        params={"sku": "SKU-1", "available": 3, "threshold": 5},
    )
    return command.model_copy(update=changes)


def given(now: datetime = NOW, *, staff_webhook: bool = True) -> DecisionContext:
    return DecisionContext(now=now, command_id="command-1", meta=META, facts=Reach(staff_webhook))


def folded(*events: Event) -> Message:
    state = Message()
    for event in events:
        state = evolve(state, event)
    return state


@dataclass
class Mailbox:
    """What a mail server took in. `replies` are given to the next messages instead of taking them."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return f"550 {address} is unknown here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.replies:
            return self.replies.pop(0)
        assert isinstance(envelope.content, bytes)
        message = BytesParser(EmailMessage, policy=default).parsebytes(envelope.content)
        self.taken.append(message)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


class FreePort(Controller):
    """Learns the port that the system chose, before anybody connects to it."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(*, takes_utf8: bool = True) -> Iterator[Mailbox]:
    """A mail server on a free port of this machine; `takes_utf8` in addresses (RFC 6531), too."""
    mailbox = Mailbox()
    controller = FreePort(mailbox, hostname="127.0.0.1", port=0, enable_SMTPUTF8=takes_utf8)
    controller.start()
    try:
        mailbox.port = controller.port
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Hook:
    """What a webhook received, and the statuses it answers with: the first ones in order, then 204."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Hook]:
    """An HTTP server on a free port of this machine."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.received.append((dict(self.headers.items()), body))
            self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not a word."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/hook?token=hush"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
