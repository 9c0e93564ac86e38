"""The console: writes one log line for each message, without its address and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import structlog

from services.notification.adapters.letter import Letter
from shared.contracts.notification import MessageChannel

log = structlog.get_logger("notification")


@dataclass(frozen=True)
class Console:
    channel: ClassVar[MessageChannel] = "console"

    def send(self, letter: Letter) -> None:
        log.info("message", message_id=letter.id, template=letter.template, subject=letter.subject)
