"""What all partners have in common: a name, a secret, signed requests, callbacks that are repeated."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from sandboxes.turned_away import TurnedAway
from shared.contracts import Command
from shared.contracts.gateway import PartnerKind, RecordUnread, Scrap
from shared.messages.messages import Reply
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from tests.simulation.manners import Whims

DELIVERY_ATTEMPTS = 5
B = TypeVar("B", bound=BaseModel)


class Partner(ABC):
    """One company that we call over HTTP and that calls us back. `under_way` counts callbacks, `heard` has the replies
    to them, `accepted` those of them that were taken."""

    def __init__(self, name: str, kind: PartnerKind, whims: Whims, luck: Luck, host: Simulated) -> None:
        self.name, self.is_down = name, False
        self.kind: PartnerKind = kind
        self._whims, self._luck, self._host = whims, luck, host
        self._secret = host.secrets.get(f"{kind}-{name}")
        self._sent = self._mumbled = 0
        self.under_way = 0
        self.heard: list[Reply] = []
        self.accepted: list[Command] = []

    @abstractmethod
    def carry_out(self, request: httpx.Request) -> Mapping[str, Any]:
        """Do what a request asks for; gives the JSON of the answer. Raises TurnedAway."""

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Do what a request asks for, and answer it."""
        try:
            return httpx.Response(200, json=self.carry_out(request))
        except TurnedAway as turned:
            return httpx.Response(turned.status, json={"detail": turned.detail})

    def check(self, request: httpx.Request, signed: bytes) -> None:
        """Raises TurnedAway (401)."""
        timestamp = request.headers.get(TIMESTAMP_HEADER, "")
        signature = request.headers.get(SIGNATURE_HEADER, "")
        now = self._host.timeline.now()
        if not timestamp.isdecimal() or not verify(self._secret, int(timestamp), signed, signature, now):
            raise TurnedAway(401, "bad signature")

    def tell(self, command: Command, *, actor: str = "", after_seconds: float = 0.0) -> None:
        """Call back, as the gateway would pass it on: a new command each time, until somebody answers."""
        actor = actor or f"{self.kind}:{self.name}"
        self.under_way += 1
        self._host.timeline.after(after_seconds, lambda: self._deliver(command, actor, 0))

    def mumble(self, of: str) -> None:
        """Perhaps call back with what nobody can read, sometimes the same as before."""
        if not self._whims.strike("unreadable"):
            return
        self._mumbled += self._luck.chance(0.7)
        unread = RecordUnread(
            statement_id=f"{self.name}-{self._mumbled}",
            kind=self.kind,
            partner=self.name,
            faults=("status: what is that?",),
            scraps=(Scrap(name="payment_id", text=of),),
            size=100,
        )
        self.tell(unread, after_seconds=self._luck.uniform(0, 5))

    def _deliver(self, command: Command, actor: str, attempt: int) -> None:
        def done(reply: Reply | None) -> None:
            if reply is not None:
                self.heard.append(reply)
                if reply.outcome == "accepted":
                    self.accepted.append(command)
            if (reply is None or reply.outcome == "failed") and attempt + 1 < DELIVERY_ATTEMPTS:
                self._host.timeline.after(2**attempt, lambda: self._deliver(command, actor, attempt + 1))
            else:
                self.under_way -= 1

        self._sent += 1
        id_ = f"{self.name}-tells-{self._sent}"
        self._host.send(command.owner, command, id_=id_, actor=actor, done=done)


def read(request: httpx.Request, kind: type[B]) -> B:
    """The body of a request. Raises TurnedAway (422)."""
    try:
        return kind.model_validate(json.loads(request.content))
    except (ValidationError, json.JSONDecodeError) as error:
        raise TurnedAway(422, "malformed") from error
