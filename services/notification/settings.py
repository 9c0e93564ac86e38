"""Settings of notification."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import OwnSettings


class NotificationSettings(OwnSettings):
    """`unpaid_mails` is the maximum number of mails about unpaid orders to one address in 24 hours."""

    smtp_url: str | None = None
    mail_from: str = "shop@kameng.invalid"
    staff_webhook_url: str | None = None
    unpaid_mails: int = Field(default=3, ge=0, le=100)
    unpaid_mails_to_payer: int = Field(default=20, ge=0, le=100)
