"""A running platform, however it was started: what its databases say, and waiting for what it does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import httpx
import sqlalchemy as sa

from cli.clustering import lags
from cli.proofs import Proof, prove
from services.gateway.access.auth import Principal, issue
from services.gateway.orders.projection import orders
from shared.contracts import Event
from shared.eventstore import log, log_reader, schema
from shared.eventstore.log import to_text
from shared.runtime.service import Service
from shared.security.secrets import Secrets
from tests.waiting import wait_for

E = TypeVar("E", bound=Event)
OPEN = ("placed", "paid", "delivering")


class Platform(ABC):
    """`var` is its folder, `services` are those that run."""

    def __init__(self, var: Path, services: Sequence[Service]) -> None:
        self.var, self.services = var, tuple(services)
        self.secrets = Secrets(var / "secrets")

    @abstractmethod
    def database(self, service: str) -> AbstractContextManager[sa.Engine]:
        """A service's database, to read."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to end, and wait; nothing happens when it has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @contextmanager
    def reading(self, service: str) -> Iterator[sa.Connection]:
        with self.database(service) as engine, engine.connect() as connection:
            yield connection

    @contextmanager
    def databases(self) -> Iterator[dict[str, sa.Engine]]:
        """The database of every service, by its name."""
        with ExitStack() as stack:
            yield {one.name: stack.enter_context(self.database(one.name)) for one in self.services}

    # What happened

    def events(self, service: str, *kinds: type[E]) -> list[E]:
        """The events of a service's log: those of the given types, or all."""
        names = {kind.__name__ for kind in kinds}
        with self.database(service) as engine:
            wanted = (one for one in log_reader.read_all(engine, service) if not names or one.name in names)
            return [cast(E, one.event) for one in wanted]

    def wait_for(self, service: str, kind: type[E], count: int = 1) -> list[E]:
        """Wait until a service's log has so many events of a type. All of them."""
        found: list[E] = []

        def look() -> bool:
            found[:] = self.events(service, kind)
            return len(found) >= count

        wait_for(look, f"{count} {kind.__name__} of {service}")
        return found

    def heads(self) -> dict[str, int]:
        """Where every service's log ends."""
        found = {}
        for service in self.services:
            with self.reading(service.name) as connection:
                found[service.name] = log.read_head(connection).position
        return found

    # What is left to do

    def parked(self) -> Counter[str]:
        """The parked messages: how many of each service, type and error."""
        found: Counter[str] = Counter()
        for service in self.services:
            with self.reading(service.name) as connection:
                rows = connection.execute(sa.select(schema.parked.c.type, schema.parked.c.error))
                found.update(f"{service.name}: {row.type}: {row.error}" for row in rows)
        return found

    def due(self) -> list[str]:
        """What is scheduled and due or under way, or has failed for good. Looking again whether a supplier that said no
        has delivered after all goes on for hours, and is left out."""
        agenda, now = schema.agenda.c, to_text(self.now)
        late = (agenda.due_at <= now) | agenda.leased_until.is_not(None)
        late = (late & ~agenda.key.startswith("again/")) | (agenda.state == "failed")
        found = []
        for service in self.services:
            with self.reading(service.name) as connection:
                keys = connection.execute(sa.select(agenda.key).where(late)).scalars()
                found += [f"{service.name}: {key}" for key in keys]
        return found

    def unfinished(self, *waiting: str) -> list[str]:
        """What still has to be done, in words: orders other than those `waiting`, events to be read, what is due."""
        with self.databases() as found:
            behind = [
                f"{reader} is {lag} behind {source}"
                for reader, by in lags(found).items()
                for source, lag in by.items()
                if lag
            ]
        with self.reading("gateway") as connection:
            is_open = sa.select(orders.c.order_id).where(orders.c.status.in_(OPEN))
            left = {*connection.execute(is_open).scalars()} - {*waiting}
        return [*behind, *self.due(), *(f"order {order_id}" for order_id in sorted(left))]

    def proofs(self) -> list[Proof]:
        """The four proofs, computed from the databases."""
        with self.databases() as found:
            return prove(self.services, found)


class HttpPlatform(Platform):
    """One that answers over HTTP as well."""

    @abstractmethod
    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        """The answer to a request, whatever it is."""

    def ask(self, method: str, path: str, principal: Principal, **how: Any) -> httpx.Response:
        """The answer to a principal's request."""
        token, _ = issue(self.secrets.get("tokens"), principal, self.now)
        headers = {**how.pop("headers", {}), "Authorization": f"Bearer {token}"}
        return self.request(method, path, headers=headers, **how)
