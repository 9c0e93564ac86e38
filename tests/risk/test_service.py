"""Risk as a host runs it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from services.risk.adapters import build
from services.risk.domain.rules import USUAL_LIMITS, AmountLimits
from services.risk.reactions import on_order_placed
from services.risk.service import SERVICE
from shared.contracts import Money
from shared.contracts.order import OrderLine, OrderPlaced
from shared.contracts.risk import CaseDecided, CaseOpened, DecideCase, OrderScreened, ScreenOrder, SetListEntry
from shared.runtime.clock import Clock
from shared.runtime.ids import Ids
from shared.runtime.service import HostContext
from shared.runtime.settings import Settings
from shared.security.secrets import Secrets
from tests.platform.harness import Harness
from tests.risk.builders import NOW, order


def line(number: int, target: str | None) -> OrderLine:
    price = Money(amount=5_000)
    return OrderLine(
        line=number, sku="TOPUP-50", name="Top-up 50", kind="top-up", source="supplier", quantity=1,
        unit_price=price, amount=price, target=target,
    )  # fmt: skip


def test_a_placed_order_is_screened_by_what_it_carries():
    placed = OrderPlaced(
        order_id="order-1", customer="alice", lines=(line(1, "138"), line(2, None), line(3, "138"), line(4, "139")),
        total=Money(amount=20_000), payment="wallet", sales_channel="web", channel_order_no=None, buyer_key="k",
        ip="203.0.113.7", device="phone-1", email="a@example.org", locale="zh", agent=None, fingerprint="f",
        pay_by=NOW, reserved_until=NOW + timedelta(hours=1),
    )  # fmt: skip
    assert on_order_placed(placed) == [order(targets=("138", "139"), fen=20_000)]


def test_a_watched_order_waits_for_a_person(tmp_path: Path):
    harness = Harness(tmp_path, [SERVICE])
    entry = SetListEntry(entry="customer:alice", list="watch", dimension="customer", value="alice", reason="new")
    harness.send("risk", entry)

    assert harness.send("risk", order()).outcome == "accepted"
    assert harness.send("risk", DecideCase(order_id="order-1", decision="pass")).outcome == "accepted"
    assert harness.send("risk", DecideCase(order_id="order-1", decision="block")).code == "no-open-case"

    decided = harness.events("risk", OrderScreened, CaseOpened, CaseDecided)
    assert [type(event) for event in decided] == [OrderScreened, CaseOpened, CaseDecided]


def test_velocity_survives_a_restart(tmp_path: Path):
    harness = Harness(tmp_path, [SERVICE])
    for number in range(30):
        harness.send("risk", order(f"o{number}"))

    harness = Harness(tmp_path, [SERVICE])
    harness.send("risk", order("o30"))

    last = harness.events("risk", OrderScreened)[-1]
    assert isinstance(last, OrderScreened)
    assert last.decision == "review"


def test_the_same_order_is_screened_once(tmp_path: Path):
    harness = Harness(tmp_path, [SERVICE])
    for _ in range(2):
        harness.send("risk", ScreenOrder(**dict(order())))
    assert len(harness.events("risk", OrderScreened)) == 1
    assert not harness.parked()


def test_limits_are_read_as_their_currencies_are_written(tmp_path: Path):
    def built(settings: Settings) -> AmountLimits:
        return build(HostContext(settings, Clock(), Ids(), Secrets(tmp_path / "secrets")))

    assert built(Settings(var=tmp_path)) == USUAL_LIMITS
    limits = {"JPY": "100000", "KWD": "1.500"}
    changed = built(Settings(var=tmp_path, review_order_above=limits, review_customer_day_above={}))
    assert changed == AmountLimits(order={"JPY": 100_000, "KWD": 1_500}, customer_day={})
