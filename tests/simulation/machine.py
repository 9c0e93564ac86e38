"""The public commands in any order, with crashes, loss and time between them, under the same laws."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from laws import watch
from services import all_services
from shared.contracts.inventory import Source
from shared.contracts.order import WALLET
from shared.laws import Finding, Violation
from shared.runtime.simulated.faults import NONE, Faults
from shared.runtime.simulated.luck import Luck
from tests.simulation.buyers import Buyer, customer, deposit, pay
from tests.simulation.judge import findings, meanwhile
from tests.simulation.manners import PERFECT, Manners
from tests.simulation.partners import CHANNEL, SUPPLIERS
from tests.simulation.requests import Request
from tests.simulation.scenario import PLAIN_PHONE, STOLEN_PHONE, WATCHED_PHONE, Paying, Plan, Purchase, Sku
from tests.simulation.world import World, inhabited

BUYERS, BROUGHT = 2, 10_000
FAULTS = (NONE, Faults(lost=0.2, doubled=0.2, late=0.2), Faults(refused=0.05, unanswered=0.03, crashed=0.003))
MANNERS = (
    PERFECT,
    Manners(unreachable=0.2, unanswered=0.3, erring=0.2, garbled=0.2),
    Manners(failing=0.4, pending=0.4, callback_late=0.4, callback_twice=0.4, callback_lost=0.4, forged=0.4),
)

Line = tuple[Sku, int]
SOURCES: tuple[Source, ...] = ("supplier", "manual", "keys")

names = st.sampled_from([service.name for service in all_services()])
buyers = st.integers(0, BUYERS - 1)
quantities = st.sampled_from((1, 1, 2))
devices = st.sampled_from((PLAIN_PHONE, PLAIN_PHONE, WATCHED_PHONE, STOLEN_PHONE))
pauses = st.sampled_from((3.0, 0.3, 0.0))


class Shop(RuleBasedStateMachine):
    """Commands are sent as people send them. Meanwhile partners call back, staff works now and then, time goes on."""

    skus = Bundle("skus")
    orders = Bundle("orders")
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.stack, self.watching = ExitStack(), watch(self._broken)
        self.known, self.loaded, self.placed = dict[str, Sku](), dict[str, list[str]](), dict[str, Request]()
        self.numbers, self.is_sound = 1, False

    @initialize(target=skus, seed=st.integers(0, 999), keys=st.integers(2, 5))
    def open(self, seed: int, keys: int) -> Sku:
        """Begin with a product in stock, and with money in every wallet."""
        plan = Plan(skus=(), deposits=(BROUGHT,) * BUYERS, purchases=())
        self.world = self.stack.enter_context(inhabited(plan, Luck(f"shop-{seed}"), NONE, self.watching.saw))
        self.is_sound = True
        return self._listed(Sku("card-1", "keys", 1_000, keys), pause=30)

    # Staff

    @rule(target=skus, source=st.sampled_from(SOURCES), pause=pauses)
    def list_a_product(self, source: Source, pause: float) -> Sku:
        suppliers = SUPPLIERS if source == "supplier" else ()
        return self._listed(Sku(f"{source}-{self._number()}", source, 500, suppliers=suppliers), pause)

    def _listed(self, sku: Sku, pause: float) -> Sku:
        self.known[sku.name] = sku
        self.world.stock.list_product(sku)
        self._wait(pause)
        return sku

    @rule(sku=skus, new=st.integers(1, 3), is_repeated=st.booleans(), pause=pauses)
    def load_keys(self, sku: Sku, new: int, is_repeated: bool, pause: float) -> None:
        again = self.loaded.get(sku.name, []) if is_repeated else []
        self.loaded[sku.name] = self.world.stock.load(f"load-{self._number()}", sku, new, again)
        self._wait(pause)

    @rule()
    def work_off_what_waits(self) -> None:
        """Cases and deliveries, and what comes of them."""
        self.world.staff.look()
        self._wait(3)

    # Buyers

    @rule(buyer=buyers, amount=st.sampled_from((1, 700, 5_000)), pause=pauses)
    def deposit(self, buyer: int, amount: int, pause: float) -> None:
        deposit(self.world.scene, customer(buyer), amount, f"deposit-{self._number()}")
        self._wait(pause)

    @rule(target=orders, sku=skus, quantity=quantities, buyer=buyers, device=devices, pause=pauses)
    def buy_from_wallet(self, sku: Sku, quantity: int, buyer: int, device: str, pause: float) -> Buyer:
        return self._placed(((sku, quantity),), buyer, WALLET, "never", device, pause)

    @rule(
        target=orders,
        lines=st.lists(st.tuples(skus, quantities), min_size=1, max_size=2, unique_by=lambda line: line[0].name),
        buyer=buyers,
        payment=st.sampled_from((WALLET, CHANNEL, CHANNEL)),
        paying=st.sampled_from(("soon", "twice", "never")),
        pause=pauses,
    )
    def buy_several(self, lines: list[Line], buyer: int, payment: str, paying: Paying, pause: float) -> Buyer:
        return self._placed(lines, buyer, payment, paying, PLAIN_PHONE, pause)

    def _placed(
        self, lines: Iterable[Line], buyer: int, payment: str, paying: Paying, device: str, pause: float
    ) -> Buyer:
        order_id, wishes = f"o-{self._number()}", tuple((sku.name, quantity) for sku, quantity in lines)
        purchase = Purchase(order_id, buyer, 0, wishes, payment, paying=paying, device=device)
        world, within = self.world, self.world.plan.limits.pay_within_seconds
        who = Buyer(world.scene, purchase, self.known, world.host.luck.fork(order_id), within)
        self.placed[order_id] = who.place()
        self._wait(pause)
        return who

    @rule(order=orders, pause=pauses)
    def place_the_same_again(self, order: Buyer, pause: float) -> None:
        self.world.requests.repeat(self.placed[order.purchase.order_id])
        self._wait(pause)

    @rule(order=orders, pause=pauses)
    def place_another_under_the_same_id(self, order: Buyer, pause: float) -> None:
        first = self.placed[order.purchase.order_id]
        other = order.order().model_copy(update={"wishes": (*order.order().wishes, order.order().wishes[0])})
        self.world.requests.send(first.id, other, first.actor)
        self._wait(pause)

    @rule(order=orders, times=st.integers(1, 2), pause=pauses)
    def pay(self, order: Buyer, times: int, pause: float) -> None:
        for _ in range(times):
            pay(self.world.scene, order.purchase.order_id)
        self._wait(pause)

    @rule(order=orders, pause=pauses)
    def cancel(self, order: Buyer, pause: float) -> None:
        order.cancel()
        self._wait(pause)

    @rule(order=orders, amount=st.sampled_from((None, 1, 300, BROUGHT)), pause=pauses)
    def refund(self, order: Buyer, amount: int | None, pause: float) -> None:
        order.refund(f"refund-{self._number()}", amount)
        self._wait(pause)

    @rule(order=orders, pause=pauses)
    def replace(self, order: Buyer, pause: float) -> None:
        order.replace()
        self._wait(pause)

    # What befalls the platform

    @rule(seconds=st.sampled_from((10, 60, 300)))
    def let_time_pass(self, seconds: int) -> None:
        self._wait(seconds)

    @rule(name=names)
    def crash(self, name: str) -> None:
        process = self.world.host.processes[name]
        if process.is_alive:
            process.kill()

    @rule(faults=st.sampled_from(FAULTS), manners=st.sampled_from(MANNERS))
    def trouble(self, faults: Faults, manners: Manners) -> None:
        """From now on other things go wrong, or none."""
        self.world.host.fate.faults = faults
        self.world.partners.whims.manners = manners

    # The laws

    @invariant()
    def every_law_holds_meanwhile(self) -> None:
        self._hold(meanwhile(self.world))

    def teardown(self) -> None:
        """When all is well again, everything ends, and every law holds."""
        with self.stack:
            if self.is_sound:
                ended = self.world.come_to_rest()
                self._hold(findings(self.world, self.watching, [] if ended else self.world.rest()))

    def _hold(self, found: Iterable[Finding]) -> None:
        for finding in found:
            if not finding.ok:
                self._broken(Violation(finding.law, "; ".join(finding.violations)))

    def _broken(self, violation: Violation) -> None:
        self.is_sound = False
        raise violation

    def _wait(self, seconds: float) -> None:
        self.world.host.run(lambda: False, seconds)

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers
