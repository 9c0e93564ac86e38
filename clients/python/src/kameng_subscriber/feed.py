"""The gateway's feed: every log from its first event on, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from kameng_subscriber.errors import LogLost, Misconfigured, Unavailable

PAGE = 500
NOT_YET = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Page:
    """Events of one log as CloudEvents JSON objects, `last` the sequence of the last one. `is_beyond`: the log ends
    before the sequence that was asked after; a gateway of an older version does not tell."""

    items: list[dict[str, Any]]
    last: int
    is_beyond: bool = False


class Feed:
    """Reads the feed of the gateway at `url` as a member of its staff with the role `subscriber`.

    Signs in when first asked, and again when its token is over. Raises Misconfigured for what a person must mend,
    Unavailable for what may pass.
    """

    def __init__(self, url: str, username: str, password: str, *, timeout_seconds: float = 30.0) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise Misconfigured("the gateway's URL must begin with http:// or https://")
        self._url, self._timeout = url.rstrip("/"), timeout_seconds
        self._login = {"kind": "staff", "login": username, "password": password}
        self._token: str | None = None

    def __repr__(self) -> str:
        return f"Feed({self._url!r})"

    def pages(self, source: str, after: int) -> Iterator[Page]:
        """The pages of a service's log behind a sequence, up to where it ends now."""
        while True:
            page = self._page(source, after)
            if not page.items:
                return
            yield page
            after = page.last

    def check(self, source: str, sequence: int) -> None:
        """Raises LogLost for a sequence that was given, and that the service's log does not reach any more."""
        if sequence and self._page(source, sequence, 1).is_beyond:
            raise LogLost(
                f"the log of {source} ends before event {sequence}, which was handled here: it was restored from an "
                "earlier moment. Undo what came of the lost events and begin with a new place, or have the log healed"
            )

    def end(self, source: str, after: int) -> int:
        """The sequence of the last event there is now, `after` if there is none behind it. Sequences have no gaps, so
        it is searched for in ever larger steps, and then between the last two."""
        low, step = after, PAGE
        while self._goes_on(source, low + step):
            low, step = low + step, 2 * step
        high = low + step
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._goes_on(source, middle) else (low, middle)
        return low

    def _goes_on(self, source: str, after: int) -> bool:
        return bool(self._page(source, after, 1).items)

    def _page(self, source: str, after: int, limit: int = PAGE) -> Page:
        query = urlencode({"source": source, "after": after, "limit": limit, "form": "cloudevents"})
        told = self._get(f"/v1/events?{query}")
        try:
            return Page(list(told["items"]), int(told["next"]), source in told.get("beyond", ()))
        except (KeyError, TypeError, ValueError):
            raise Misconfigured(f"what answers at {self._url} is not a gateway that knows this feed") from None

    def _get(self, path: str) -> Any:
        for _ in range(2):
            self._token = self._token or self._sign_in()
            status, told = self._ask("GET", path, None)
            if status != 401:
                return _checked(status, told, path)
            self._token = None
        raise Unavailable("the gateway does not take the token it has just given")

    def _sign_in(self) -> str:
        status, told = self._ask("POST", "/v1/sessions", self._login)
        if status == 401:
            raise Misconfigured("the gateway refuses this name and password")
        return str(_checked(status, told, "/v1/sessions")["token"])

    def _ask(self, method: str, path: str, body: object) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._url + path, data, headers, method=method)  # noqa: S310 - http or https, as checked
        try:
            with urlopen(request, timeout=self._timeout) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, _problem(error)
        except (OSError, HTTPException, ValueError) as error:
            raise Unavailable(f"{self._url} does not answer: {type(error).__name__}") from None


def _problem(error: HTTPError) -> Any:
    try:
        return json.load(error)
    except (OSError, HTTPException, ValueError):
        return {}


def _checked(status: int, told: Any, path: str) -> Any:
    if status < 300:
        return told
    said = told if isinstance(told, dict) else {}
    detail = f"{status} {said.get('code', '')} {said.get('detail', '')}".strip()
    if status in NOT_YET:
        raise Unavailable(f"the gateway says {detail}")
    if status == 403:
        raise Misconfigured("the gateway does not let this account read events: it needs the role `subscriber`")
    raise Misconfigured(f"the gateway says {detail} to {path.partition('?')[0]}")
