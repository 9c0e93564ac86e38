"""One whole run: a platform, everybody around it, a time of trouble, and a time in which all must come to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from services import all_services
from services.gateway.orders.buyers import open_envelope
from shared.contracts.fulfillment import KeysDelivered, SupplierDelivered
from shared.eventstore import schema
from shared.eventstore.recorded import RecordedEvent
from shared.runtime.simulated.faults import Faults
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
from shared.scheduler.scheduler import WAITING
from tests.simulation.buyers import Buyer, sign_up
from tests.simulation.partners import Partners
from tests.simulation.requests import Requests
from tests.simulation.scenario import Plan
from tests.simulation.scene import Scene
from tests.simulation.staff import Staff
from tests.simulation.stock import Stock
from tests.simulation.window import Window

SAFETY_SECONDS, LIVENESS_SECONDS, LOOK_SECONDS = 500.0, 7_200.0, 20.0


class World:
    """`partners` are the host's HTTP transport, `committed` is to hear of every event; then `move_in` and `run`.

    `events` are all that became durable, in that order; `requests` has what clients asked and the replies, `stock` the
    keys' texts, `partners` what they really did.
    """

    scene: Scene
    requests: Requests
    stock: Stock
    staff: Staff

    def __init__(self, plan: Plan, luck: Luck) -> None:
        self.plan, self._luck = plan, luck.fork("people")
        self.partners, self.events = Partners(plan.manners, luck.fork("partners")), list[RecordedEvent]()
        self._window = Window()
        self._settled = False

    def committed(self, recorded: RecordedEvent) -> None:
        self.events.append(recorded)
        self._window.committed(recorded)

    def move_in(self, host: Simulated) -> None:
        """Have everybody begin."""
        plan, luck = self.plan, self._luck
        self.host, self.requests = host, Requests(host)
        self.scene = scene = Scene(host, self._window, self.requests, self.partners)
        self.partners.move_in(host)
        self.staff = Staff(scene, luck.fork("staff"), plan.diligence)
        self.staff.start()
        self.stock = Stock(scene, plan.skus, luck.fork("stock"))
        self.partners.stock = self.stock.texts
        self.stock.open()
        sign_up(scene, plan.deposits, luck.fork("deposits"))
        skus = {sku.name: sku for sku in plan.skus}
        for purchase in plan.purchases:
            Buyer(scene, purchase, skus, luck.fork(purchase.order_id), plan.limits.pay_within_seconds).start()

    def run(self) -> bool:
        """All of it. Whether everything came to an end."""
        self.host.run(lambda: self.scene.scheduled == 0, SAFETY_SECONDS)
        return self.come_to_rest()

    def come_to_rest(self) -> bool:
        """Whether everything came to an end after nothing went wrong any more."""
        self.heal()
        return self.host.run(lambda: self._settled, LIVENESS_SECONDS)

    def heal(self) -> None:
        """From now on nothing goes wrong, nobody forgets anything, and what is unknown is asked for."""
        self.host.heal()
        self.partners.heal()
        self.staff.catch_up()
        self._look()

    def _look(self) -> None:
        self.requests.ask_again()
        self._settled = not self.rest()
        self.host.timeline.after(LOOK_SECONDS, self._look)

    def rest(self) -> list[str]:
        """What is not done yet, in words."""
        rest: list[str] = []
        if self.scene.scheduled:
            rest.append(f"people mean to do {self.scene.scheduled} things more")
        if unknown := [request.id for request in self.requests.made if not request.replies]:
            rest.append(f"the outcome of {', '.join(unknown)} is unknown")
        if self.requests.under_way() or not self.partners.is_quiet():
            rest.append("requests are under way")
        if not self.staff.is_done():
            rest.append("work waits for staff")
        return rest or self._platform_rest()

    def _platform_rest(self) -> list[str]:
        rest = [
            f"{name} is {behind} events behind {source}"
            for name, lags in self.host.lags().items()
            for source, behind in lags.items()
            if behind
        ]
        waiting = sa.select(sa.func.count()).where(schema.agenda.c.state == WAITING)
        for name, engine in self.host.logs.items():
            with engine.connect() as connection:
                if count := connection.execute(waiting).scalar_one():
                    rest.append(f"{count} things wait on the agenda of {name}")
        return rest

    def opened(self) -> dict[str, list[str]]:
        """What buyers got: the texts of the keys, by delivery id. Raises CannotOpen for an envelope of another's."""
        names = {KeysDelivered.__name__, SupplierDelivered.__name__}
        deliveries = (it.event for it in self.events if it.name in names)
        return {
            event.delivery_id: open_envelope(self.host.secrets, event.order_id, event.delivery_id, event.envelope)
            for event in deliveries
            if isinstance(event, KeysDelivered | SupplierDelivered) and event.envelope
        }


@contextmanager
def inhabited(
    plan: Plan, luck: Luck, faults: Faults, committed: Callable[[RecordedEvent], object] = lambda recorded: None
) -> Iterator[World]:
    """A platform with its world, ready to `run`. `committed` hears of every event as soon as it is durable."""
    world = World(plan, luck)

    def hear(recorded: RecordedEvent) -> None:
        world.committed(recorded)
        committed(recorded)

    with Simulated(all_services(), luck, faults, plan.limits.settings(), world.partners, hear) as host:
        world.move_in(host)
        yield world
