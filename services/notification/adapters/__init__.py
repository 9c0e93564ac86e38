"""What notification gets from its host: templates, mail, webhooks and the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from standardwebhooks import Webhook as Signer

from services.notification.adapters.console import Console
from services.notification.adapters.letter import Sender
from services.notification.adapters.mail import Mail, MailServer
from services.notification.adapters.templates import Templates
from services.notification.adapters.webhook import TIMEOUT_SECONDS, Webhook
from services.notification.settings import NotificationSettings
from shared.contracts.notification import MessageChannel
from shared.runtime.service import HostContext


@dataclass(frozen=True)
class MailLimits:
    """The most mails about unpaid orders in a day, for an address that ever paid (`proven`) and for others."""

    proven: int
    unproven: int


@dataclass(frozen=True)
class Adapters:
    """The senders by channel, the templates, the webhook of staff, the URL of order pages, and the limits of mail."""

    senders: Mapping[MessageChannel, Sender]
    templates: Templates
    public_url: str
    mails: MailLimits
    staff_webhook_url: str | None = field(default=None, repr=False)


def build(context: HostContext) -> Adapters:
    """The adapters. Raises ValueError for an invalid URL of the mail server."""
    settings, now = context.settings.of(NotificationSettings), context.clock.now
    console = Console()
    mail = Mail(MailServer.parse(settings.smtp_url), settings.mail_from, now) if settings.smtp_url else console
    signer = Signer(context.secrets.get("webhook"))
    webhook = Webhook(signer, context.client(timeout=TIMEOUT_SECONDS, follow_redirects=False), now)
    return Adapters(
        senders={"email": mail, "webhook": webhook, "console": console},
        templates=Templates(),
        public_url=context.settings.public_url.rstrip("/"),
        mails=MailLimits(settings.unpaid_mails_to_payer, settings.unpaid_mails),
        staff_webhook_url=settings.staff_webhook_url,
    )
