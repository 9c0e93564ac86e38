"""Declares the notification service."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from services.notification.adapters import Adapters, build
from services.notification.adapters.effects import EFFECTS
from services.notification.domain import Mailed, Message, Reach, decide, evolve, is_unpaid
from services.notification.metrics import COUNTERS
from services.notification.projection import NotificationProjection
from services.notification.reactions import PLANS, REACTIONS
from services.notification.settings import NotificationSettings
from shared.contracts.notification import MessageChannel, RecordSending, SendMessage, TellGathered
from shared.runtime.service import Aggregate, Service


def find_reach(command: SendMessage, state: Message, projection: NotificationProjection, adapters: Adapters) -> Reach:
    """Whether staff have a webhook, and the recent mails to the address of a mail about an unpaid order."""
    mailed = None
    if command.channel == "email" and is_unpaid(command.template, command.params):
        address = projection.address(command.to)
        mailed = Mailed(address.unpaid, adapters.mails.proven if address.proven else adapters.mails.unproven)
    return Reach(staff_webhook=adapters.staff_webhook_url is not None, mailed=mailed)


SERVICE = Service(
    name="notification",
    aggregates=(
        Aggregate(
            name="message",
            initial=Message,
            decide=decide,
            evolve=evolve,
            commands=(SendMessage, TellGathered, RecordSending),
            load_facts={SendMessage: find_reach},
        ),
    ),
    projection=NotificationProjection,
    reactions=REACTIONS,
    plans=PLANS,
    effects=EFFECTS,
    adapters=build,
    counters=COUNTERS,
    partners=lambda settings: get_args(MessageChannel),
    commit_interval_seconds=0.2,
    settings=NotificationSettings,
    migrations=Path(__file__).with_name("migrations"),
)
