"""Puts every query of every dashboard, and every alert's, to a Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from observability import files
from observability.queries import OURS, RABBITMQ, selectors

WINDOW = "15s"


@dataclass(frozen=True)
class Asked:
    """A query and what came of it: how many series with a number, or why it was not asked (`skipped`), or the error."""

    where: str
    expression: str
    series: int = 0
    skipped: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error and bool(self.series or self.skipped)


class Asking:
    """Asks the Prometheus at `url`. `has_broker`: it scrapes RabbitMQ as well."""

    def __init__(self, url: str, *, has_broker: bool) -> None:
        self._http, self._has_broker = httpx.Client(base_url=url, timeout=20), has_broker

    def close(self) -> None:
        self._http.close()

    def names(self) -> set[str]:
        """Every name that was scraped or recorded."""
        return set(self._http.get("/api/v1/label/__name__/values").raise_for_status().json()["data"])

    def dashboards(self) -> Iterator[Asked]:
        """Each query of each panel."""
        for query in files.dashboard_queries():
            expression = query.expression.replace("$__rate_interval", WINDOW).replace("$service", ".+")
            yield self._ask(query.where, expression)

    def alerts(self) -> Iterator[Asked]:
        """Each rule's expression must be valid, and each series that it asks for be there."""
        recorded = files.recorded()
        for query in files.rule_queries():
            answer = self._http.get("/api/v1/query", params={"query": query.expression}).json()
            if answer["status"] != "success":
                yield Asked(query.where, query.expression, error=answer["error"])
            for name, selector in sorted(set(selectors(query.expression))):
                where = f"{query.where}: {selector}"
                yield self._ask(where, selector if name in recorded else f"count({selector})")

    def undeclared(self) -> set[str]:
        """Names that are reported and not declared."""
        return {name for name in self.names() if name.startswith("kameng_")} - OURS

    def unreported(self) -> set[str]:
        """Names that are declared and not reported."""
        return set(OURS - self.names())

    def value(self, expression: str) -> float | None:
        """The one number that a query gives; None when it gives nothing."""
        found = (
            self._http.get("/api/v1/query", params={"query": expression}).raise_for_status().json()["data"]["result"]
        )
        return float(found[0]["value"][1]) if found else None

    def _ask(self, where: str, expression: str) -> Asked:
        if not self._has_broker and any(name in RABBITMQ for name, _ in selectors(expression)):
            return Asked(where, expression, skipped="the broker is not ours to scrape")
        answer = self._http.get("/api/v1/query", params={"query": expression}).json()
        if answer["status"] != "success":
            return Asked(where, expression, error=answer["error"])
        numbers = [one for one in answer["data"]["result"] if not math.isnan(float(one["value"][1]))]
        return Asked(where, expression, len(numbers))
