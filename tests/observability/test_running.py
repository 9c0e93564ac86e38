"""A real Prometheus over a running cluster: every panel has data, every alert asks for a metric that exists."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from deploy.local import infrastructure
from deploy.local.packages import prometheus_programs
from deploy.local.waiting import InfrastructureError
from shared.contracts.order import OrderPlaced
from tests.acceptance.cluster.market import stocked_cluster
from tests.observability.asking import Asked, Asking
from tests.observability.watching import KINDS, all_asked, buy_until, ensure_prometheus, temporary, watched
from tests.platform.market import ClusterMarket
from tests.waiting import wait_for


@dataclass(frozen=True)
class Seen:
    """What a Prometheus knew of a cluster in which people bought."""

    market: ClusterMarket
    asking: Asking
    asked: list[Asked]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    """One cluster for all tests here; skips when servers or Prometheus can't be had, and for no other reason."""
    found: list[Asked] = []
    with temporary() as var:
        try:
            ensure_prometheus()
            infrastructure.up(var, print)
        except InfrastructureError as error:
            pytest.skip(f"no servers: {error}")
        with stocked_cluster(var, publish=True, webhooks=True) as market, watched(market) as (_, asking):

            async def look() -> None:
                found.extend(await all_asked(asking))

            buy_until(market, look)
            yield Seen(market, asking, found)


def test_every_panel_has_data_and_every_alert_can_fire(seen: Seen) -> None:
    assert len(seen.asked) > 100
    assert [one for one in seen.asked if not one.ok] == []


def test_what_is_reported_is_declared_and_what_is_declared_is_reported(seen: Seen) -> None:
    assert seen.asking.undeclared() == set()
    assert seen.asking.unreported() == set()


def test_what_is_counted_agrees_with_the_logs(seen: Seen) -> None:
    seen.market.run(seen.market.settled())
    orders = len(seen.market.platform.events("order", OrderPlaced))

    for expression, value in {
        'sum(kameng_order_steps_total{step="placed"})': orders,
        'sum(kameng_order_steps_total{step="completed"})': orders,
        "sum(kameng_paid_order_seconds_count)": orders,
        "sum(kameng_orders_open)": 0,
        "kameng_ledger_imbalance_minor_units": 0,
        'sum(kameng_held_minor_units{currency="CNY"})': 0,
    }.items():
        wait_for(lambda: seen.asking.value(expression) == value, f"{expression} = {value}")  # noqa: B023


def test_promtool_finds_nothing_wrong_with_what_each_process_serves(seen: Seen) -> None:
    programs = prometheus_programs()
    assert programs
    addresses = [(seen.market.platform.var / f"order{kind}.health").read_text() for kind in KINDS]
    for address in (*addresses, seen.market.address):
        served = httpx.get(f"{address}/metrics").text
        command = [str(programs / "promtool"), "check", "metrics"]
        done = subprocess.run(command, input=served, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
