"""Commands as clients send them, and the record of the replies that they got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shared.contracts import Command
from shared.messages.messages import Reply
from shared.runtime.simulated.host import Simulated

AGAIN_SECONDS, TIMES = 15.0, 3
Then = Callable[[Reply], object]


@dataclass(eq=False)
class Request:
    """One command under one id. `replies` are all answers to it; without any its outcome is unknown.

    `purpose` says what it is meant to be: `new`, the `same` as an earlier one, or in `conflict` with one.
    """

    id: str
    command: Command
    actor: str
    purpose: str = "new"
    replies: list[Reply] = field(default_factory=list)
    unanswered: int = 0
    under_way: int = 0

    @property
    def reply(self) -> Reply | None:
        return self.replies[0] if self.replies else None


class Requests:
    """Sends commands and remembers every fate. What has no answer is asked again with the same id, in the end too."""

    def __init__(self, host: Simulated) -> None:
        self._host = host
        self.made: list[Request] = []
        self._waiting: dict[Request, Then] = {}

    def send(
        self,
        id_: str,
        command: Command,
        actor: str,
        then: Then = lambda reply: None,
        *,
        purpose: str = "new",
        times: int = TIMES,
    ) -> Request:
        """`then` hears of the first answer, be it yes or no; without one the command is sent `times` times."""
        request = Request(id_, command, actor, purpose)
        self.made.append(request)
        self._waiting[request] = then
        self._ask(request, times)
        return request

    def repeat(self, request: Request) -> None:
        """Send the very same once more."""
        self._ask(request, 1)

    def ask_again(self) -> None:
        """Ask for the outcome of whatever has no answer and is not under way."""
        for request in self.unknown():
            self._ask(request, 1)

    def unknown(self) -> list[Request]:
        """Those whose outcome nobody knows, and nobody is asking for."""
        return [request for request in self.made if not request.replies and not request.under_way]

    def under_way(self) -> bool:
        return any(request.under_way for request in self.made)

    def _ask(self, request: Request, times: int) -> None:
        request.under_way += 1
        command = request.command
        self._host.send(
            command.owner,
            command,
            id_=request.id,
            actor=request.actor,
            done=lambda reply: self._on_reply(request, reply, times - 1),
        )

    def _on_reply(self, request: Request, reply: Reply | None, times: int) -> None:
        request.under_way -= 1
        if reply is None:
            request.unanswered += 1
            if times and not request.replies:
                request.under_way += 1  # nobody else needs to ask meanwhile
                self._host.timeline.after(AGAIN_SECONDS, lambda: self._again(request, times))
            return
        request.replies.append(reply)
        if then := self._waiting.pop(request, None):
            then(reply)

    def _again(self, request: Request, times: int) -> None:
        request.under_way -= 1
        if not request.replies:
            self._ask(request, times)
