"""What is going to happen in one run, drawn from a seed: plain data, so that it can be printed and made smaller."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Literal

from shared.contracts.inventory import Source
from shared.contracts.order import WALLET
from shared.runtime.settings import Settings
from shared.runtime.simulated.luck import Luck
from tests.simulation.manners import PERFECT, Manners
from tests.simulation.partners import CHANNEL, SUPPLIERS
from tests.simulation.partners.transport import ADDRESSES

PLAIN_PHONE, STOLEN_PHONE, WATCHED_PHONE = "phone", "stolen-phone", "watched-phone"
SOURCES: tuple[Source, ...] = ("keys", "keys", "supplier", "supplier", "supplier", "manual")
Mistake = Literal["", "over-limit", "unknown-sku", "price-changed", "no-target", "nobody"]
Paying = Literal["soon", "late", "never", "twice"]
AfterSale = Literal["", "refund", "part-refund", "two-refunds", "replace", "replace-and-refund", "over-refund"]
Resend = Literal["", "same", "conflict", "taken"]


@dataclass(frozen=True, slots=True)
class Sku:
    """A product at `price` fen. `keys` are loaded at first; later `more` of them, and the first ones once again."""

    name: str
    source: Source
    price: int
    keys: int = 0
    more: int = 0
    suppliers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order and how its buyer behaves. `wishes` are SKUs with quantities; times are in seconds of virtual time."""

    order_id: str
    buyer: int
    at: float
    wishes: tuple[tuple[str, int], ...]
    payment: str = WALLET
    is_guest: bool = False
    paying: Paying = "soon"
    device: str = PLAIN_PHONE
    agent: str | None = None
    cancel_after: float | None = None
    after_sale: AfterSale = ""
    resend: Resend = ""
    mistake: Mistake = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the platform waits at each step, in seconds of virtual time."""

    pay_within_seconds: float = 120.0
    answer_within_seconds: float = 60.0
    review_within_seconds: float = 200.0
    deliver_within_seconds: float = 120.0
    reserve_for_seconds: float = 500.0
    supplier_look_up_seconds: float = 700.0
    ask_within_seconds: float = 900.0

    def settings(self) -> Settings:
        return Settings(**asdict(self), **ADDRESSES, public_url="http://shop.sim")


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `deposits` are what buyers pay into their wallets, in fen; `diligence` is how soon staff looks."""

    skus: tuple[Sku, ...]
    deposits: tuple[int, ...]
    purchases: tuple[Purchase, ...]
    manners: Manners = PERFECT
    limits: Limits = field(default_factory=Limits)
    diligence: float = 20.0

    @staticmethod
    def drawn(luck: Luck) -> Plan:
        skus = tuple(_sku(luck.fork(f"sku-{number}"), number) for number in range(1, luck.randint(2, 4) + 1))
        buyers = luck.randint(2, 6)
        orders = round(4 * 3.5 ** luck.random())
        return Plan(
            skus=skus,
            deposits=tuple(luck.choice((0, 5_000, 50_000, 200_000)) for _ in range(buyers)),
            purchases=tuple(_purchase(luck.fork(f"o-{n}"), n, buyers, skus) for n in range(1, orders + 1)),
            manners=Manners.drawn(luck.fork("manners")),
            limits=_limits(luck.fork("limits")),
            diligence=luck.uniform(5, 60),
        )


def _sku(luck: Luck, number: int) -> Sku:
    source: Source = luck.choice(SOURCES) if number > 1 else "keys"
    price = luck.choice((100, 1_000, 2_599, 300_000))
    if source != "keys":
        suppliers = luck.choice((SUPPLIERS, SUPPLIERS[::-1], SUPPLIERS[:1])) if source == "supplier" else ()
        return Sku(f"{source}-{number}", source, min(price, 2_599), suppliers=suppliers)
    is_scarce = luck.chance(0.5)
    keys = luck.randint(1, 4) if is_scarce else luck.randint(10, 25)
    return Sku(f"card-{number}", "keys", price, keys, luck.choice((0, 0, 2)))


def _purchase(luck: Luck, number: int, buyers: int, skus: tuple[Sku, ...]) -> Purchase:
    wished = luck.sample(skus, min(len(skus), luck.choice((1, 1, 1, 2, 3))))
    payment = luck.choice((WALLET, CHANNEL))
    return Purchase(
        order_id=f"o-{number}",
        buyer=luck.randrange(buyers),
        at=luck.uniform(15, 60) if luck.chance(0.6) else luck.uniform(15, 250),
        wishes=tuple((sku.name, luck.choice((1, 1, 1, 2, 3))) for sku in wished),
        payment=payment,
        is_guest=payment != WALLET and luck.chance(0.5),
        paying=luck.choice(("soon", "soon", "soon", "late", "never", "twice")),
        device=luck.choice((PLAIN_PHONE,) * 8 + (STOLEN_PHONE, WATCHED_PHONE, WATCHED_PHONE)),
        agent=luck.choice((None, None, "agent-1")),
        cancel_after=luck.uniform(0, 40) if luck.chance(0.15) else None,
        after_sale=luck.choice(
            ("", "", "", "refund", "part-refund", "two-refunds", "replace", "replace-and-refund", "over-refund")
        ),
        resend=luck.choice(("", "", "", "same", "conflict", "taken")),
        mistake=luck.choice(("",) * 12 + ("over-limit", "unknown-sku", "price-changed", "no-target", "nobody")),
    )


def _limits(luck: Luck) -> Limits:
    return Limits(
        pay_within_seconds=luck.uniform(40, 200),
        answer_within_seconds=luck.uniform(20, 120),
        review_within_seconds=luck.uniform(30, 200),
        deliver_within_seconds=luck.uniform(20, 200),
        reserve_for_seconds=luck.choice((luck.uniform(60, 200), 600.0, 600.0)),
    )
