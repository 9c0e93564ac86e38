"""Limits guessing of passwords, without locking out the owner of a login.

A try is counted before the password is compared, so that concurrent tries are counted as well. A right password
uncounts it. Tries are counted by login and place, so a guesser does not block the owner, who is elsewhere. Tries at one
login from unknown places are also counted together: otherwise many places could share the guessing.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from services.gateway.access.throttle import Throttle

OF_LOGIN_AND_PLACE, OF_PLACE, OF_LOGIN = 10, 30, 100
HOUR = timedelta(hours=1)
KNOWN_KEPT = 100_000
Try = Sequence[tuple[Throttle, str]]


class Guessing:
    """Counts tries. `kind` and `login` name the account, `place` is where the try comes from, `device` is a mark that
    `mark` made."""

    def __init__(self, now: Callable[[], datetime], secret: Callable[[], bytes]) -> None:
        self._secret = secret
        self._both, self._place = Throttle(now, OF_LOGIN_AND_PLACE), Throttle(now, OF_PLACE)
        self._login = Throttle(now, OF_LOGIN, HOUR)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(
        self, kind: str, login: str, place: str, device: str | None, *, shared: bool = False
    ) -> tuple[float, Try]:
        """The seconds to wait, and the try. With nothing to wait for, the try has been counted. A `shared` place, such
        as one of the shop's own sites, stands for many people: its tries are not counted by place alone."""
        who = f"{kind} {login}"
        tries: list[tuple[Throttle, str]]
        if device is not None and self._is_ours(who, device):
            tries = [(self._both, f"{who}\ndevice {device}")]
        elif (who, place) in self._known:
            tries = [(self._both, f"{who}\n{place}")]
        else:
            tries = [(self._both, f"{who}\n{place}"), (self._login, who)]
            if not shared:
                tries.append((self._place, place))
        wait = max(throttle.wait(caller) for throttle, caller in tries)
        if not wait:
            for throttle, caller in tries:
                throttle.tried(caller)
        return wait, tries

    def knows(self, kind: str, login: str, place: str, device: str | None) -> bool:
        """Whether somebody has signed in under this login from this place, or on this device."""
        who = f"{kind} {login}"
        return (who, place) in self._known or (device is not None and self._is_ours(who, device))

    def forgive(self, begun: Try) -> None:
        """Uncount a try."""
        for throttle, caller in begun:
            throttle.forgive(caller)

    def succeeded(self, kind: str, login: str, place: str, begun: Try) -> None:
        """Record that the password was right: uncount the try, and remember the place for this login."""
        self.forgive(begun)
        known = (f"{kind} {login}", place)
        self._known[known] = None
        self._known.move_to_end(known)
        if len(self._known) > KNOWN_KEPT:
            self._known.popitem(last=False)

    def mark(self, kind: str, login: str, name: str) -> str:
        """A mark that a device sends with its next sign-in under this login. `name` must be new each time."""
        return f"{name}.{self._signature(f'{kind} {login}', name)}"

    def _is_ours(self, who: str, device: str) -> bool:
        name, _, signature = device.partition(".")
        return hmac.compare_digest(signature.encode(errors="replace"), self._signature(who, name).encode())

    def _signature(self, who: str, name: str) -> str:
        message = f"kameng device 1\n{who}\n{name}".encode(errors="replace")
        return urlsafe_b64encode(hmac.new(self._secret(), message, sha256).digest()).rstrip(b"=").decode()
