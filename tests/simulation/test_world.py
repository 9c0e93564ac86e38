"""The world lives on the simulated platform: the same seed the same way, and everything in it occurs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from shared.runtime.simulated.faults import NONE, Faults
from shared.runtime.simulated.host import digest
from shared.runtime.simulated.luck import Luck
from tests.simulation.builders import calm
from tests.simulation.manners import PERFECT, Manners
from tests.simulation.outcomes import MEANINGS, outcomes
from tests.simulation.partners import CHANNEL
from tests.simulation.scenario import Plan, Purchase, Sku
from tests.simulation.world import World, inhabited

CARDS = Sku("card-1", "keys", 1_000, keys=3)


def bought(number: int, **how: object) -> Purchase:
    plain = Purchase(f"o-{number}", buyer=0, at=20 + number, wishes=(("card-1", 1),))
    return replace(plain, **how)  # pyright: ignore[reportArgumentType]


def counted(*purchases: Purchase, sku: Sku = CARDS, manners: Manners = PERFECT) -> Counter[str]:
    """What comes of these purchases where nothing else goes wrong."""
    plan = Plan(skus=(sku,), deposits=(50_000,), purchases=purchases, manners=manners)
    with inhabited(plan, Luck("1"), NONE) as world:
        assert world.run(), world.rest()
        assert len(world.opened()) == outcomes(world)["delivered-by-keys"] + outcomes(world)["goods-delivered"]
        return outcomes(world)


def test_the_last_key_is_sold_once() -> None:
    found = counted(*(bought(number) for number in range(1, 6)))
    assert (found["completed"], found["cancelled-short-stock"]) == (3, 2)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"payment": CHANNEL}, "completed"),
        ({"payment": CHANNEL, "is_guest": True, "paying": "twice"}, "callback-rep"),
        ({"payment": CHANNEL, "paying": "never"}, "cancelled-unpaid"),
        ({"payment": CHANNEL, "paying": "late"}, "payment-closed"),
        ({"payment": CHANNEL, "paying": "never", "cancel_after": 5}, "cancelled-"),
        ({"payment": CHANNEL, "after_sale": "refund"}, "refund-returned"),
        ({"buyer": 1}, "cancelled-insufficient-funds"),
        ({"device": "stolen-phone"}, "cancelled-blocked"),
        ({"device": "watched-phone"}, "case-"),
        ({"agent": "agent-1"}, "commission-earned"),
        ({"after_sale": "part-refund"}, "refunded-in-part"),
        ({"after_sale": "two-refunds"}, "refunded-in-full"),
        ({"after_sale": "over-refund"}, "refused-more-than-left"),
        ({"after_sale": "replace"}, "replaced"),
        ({"resend": "same"}, "same-again"),
        ({"resend": "conflict"}, "conflict"),
        ({"resend": "taken"}, "refused-order-number-taken"),
        ({"mistake": "over-limit"}, "refused-over-limit"),
        ({"mistake": "unknown-sku"}, "refused-unknown-sku"),
        ({"mistake": "price-changed"}, "refused-price-changed"),
        ({"mistake": "nobody"}, "refused-customer-needed"),
    ],
)
def test_what_a_buyer_does_comes_to_what_it_must(how: dict[str, object], expected: str) -> None:
    found = counted(bought(1, **how))
    assert sum(count for name, count in found.items() if name.startswith(expected)), found


def test_what_is_paid_after_its_channel_only_said_to_have_closed_is_delivered() -> None:
    late = bought(1, payment=CHANNEL, paying="late")
    assert counted(late, manners=Manners(close_feigned=1.0))["late-payment-delivered"] == 1


def test_the_rest_of_what_is_loaded_again_is_new() -> None:
    found = counted(bought(1, at=200), sku=replace(CARDS, more=2))
    assert found["duplicate-key"] == 1


def run(world: World) -> str:
    assert world.run(), world.rest()
    return digest(world.host.logs)


def test_a_seed_gives_the_same_world_again() -> None:
    """With everything going wrong that can."""

    def once(seed: str) -> tuple[str, list[object], Counter[str]]:
        luck = Luck(seed)
        plan = Plan.drawn(luck.fork("plan"))
        with inhabited(plan, luck, Faults.drawn(luck.fork("faults"))) as world:
            fingerprint = run(world)
            fates = [(it.id, it.purpose, it.replies, it.unanswered) for it in world.requests.made]
            return fingerprint, [*fates], outcomes(world)

    assert once("7") == once("7")
    assert once("7")[0] != once("8")[0]


def test_every_request_has_its_fate_in_the_end() -> None:
    luck = Luck("11")
    with inhabited(calm("11"), luck, Faults(lost=0.2, doubled=0.2, crashed=0.003)) as world:
        run(world)
        conflicts = [request for request in world.requests.made if request.purpose == "conflict"]
        assert all(request.reply for request in world.requests.made)
        assert all(request.reply and request.reply.outcome == "conflict" for request in conflicts)


def test_every_key_that_was_handed_out_was_loaded_and_nobody_else_has_it() -> None:
    with inhabited(calm("2"), Luck("2"), NONE) as world:
        run(world)
        texts = [text for given in world.opened().values() for text in given]
        assert texts
        assert len(texts) == len(set(texts))
        delivered = [text for supplier in world.partners.suppliers.values() for text in supplier.texts]
        assert set(texts) <= {*world.stock.texts, *delivered}


def test_names_have_a_meaning() -> None:
    assert all(meaning and len(meaning) < 100 for meaning in MEANINGS.values())
