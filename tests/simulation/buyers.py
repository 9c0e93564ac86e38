"""Buyers: fill their wallets, place orders, pay or do not, cancel, and complain afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.gateway.orders.buyers import buyer_key
from shared.contracts import Command, Money
from shared.contracts.fulfillment import KeysDelivered, delivery_id
from shared.contracts.gateway import RegisterCustomer
from shared.contracts.ledger import PaymentOpened, RequestPayment
from shared.contracts.order import WALLET, CancelOrder, OrderCompleted, PlaceOrder, RefundOrder, ReplaceKey, Wish
from shared.messages.messages import Reply
from shared.runtime.simulated.luck import Luck
from tests.simulation.partners import CHANNEL
from tests.simulation.requests import Request
from tests.simulation.scenario import Purchase, Sku
from tests.simulation.scene import Scene
from tests.simulation.staff import SUPPORT
from tests.simulation.stock import ORDER_LIMIT

PAY_AGAIN_SECONDS, PAY_TRIES = 5.0, 10


def customer(buyer: int) -> str:
    return f"b-{buyer + 1}"


def sign_up(scene: Scene, deposits: Sequence[int], luck: Luck) -> None:
    """Every buyer registers, and pays into the wallet through the channel."""
    for buyer, amount in enumerate(deposits):
        name = customer(buyer)
        scene.requests.send(f"register-{name}", RegisterCustomer(customer=name, name=name), "guest")
        if amount:
            scene.later(luck.uniform(0, 10), lambda name=name, amount=amount: deposit(scene, name, amount))


def deposit(scene: Scene, name: str, amount: int, payment_id: str = "") -> None:
    """Ask for a payment into a customer's wallet, and make it as soon as it is open."""
    payment_id = payment_id or f"deposit-{name}"
    command = RequestPayment(
        payment_id=payment_id, account=f"wallet:{name}", amount=Money(amount=amount), channel=CHANNEL
    )
    scene.requests.send(payment_id, command, f"customer:{name}")
    scene.window.when(PaymentOpened, payment_id, lambda _: scene.later(2, lambda: pay(scene, payment_id)))


def pay(scene: Scene, payment_id: str, tries: int = PAY_TRIES) -> None:
    """Pay at the channel, as soon as it lets us."""
    if not scene.partners.channel.pay(payment_id) and tries > 1:
        scene.later(PAY_AGAIN_SECONDS, lambda: pay(scene, payment_id, tries - 1))


@dataclass
class Buyer:
    """One purchase, from placing to the last complaint."""

    scene: Scene
    purchase: Purchase
    skus: Mapping[str, Sku]
    luck: Luck
    pay_within: float

    def start(self) -> None:
        self.scene.later(self.purchase.at, self.place)

    # Placing

    @property
    def _customer(self) -> str | None:
        return None if self.purchase.is_guest or self.purchase.mistake == "nobody" else customer(self.purchase.buyer)

    @property
    def _actor(self) -> str:
        return f"customer:{self._customer}" if self._customer else "guest"

    def order(self) -> PlaceOrder:
        purchase, mistake = self.purchase, self.purchase.mistake
        payment = WALLET if mistake == "nobody" else purchase.payment
        return PlaceOrder(
            order_id=purchase.order_id,
            wishes=tuple(self._wish(name, quantity) for name, quantity in purchase.wishes),
            customer=self._customer,
            payment=payment,
            buyer_key=buyer_key(self.scene.host.secrets, purchase.order_id),
            ip=f"10.0.0.{purchase.buyer + 1}",
            device=purchase.device,
            email=f"{customer(purchase.buyer)}@example.com",
            agent=purchase.agent,
            expected_total=Money(amount=1) if mistake == "price-changed" else None,
        )

    def _wish(self, name: str, quantity: int) -> Wish:
        mistake = self.purchase.mistake
        needs_target = self.skus[name].source == "supplier" and mistake != "no-target"
        return Wish(
            sku="no-such-card" if mistake == "unknown-sku" else name,
            quantity=ORDER_LIMIT + 1 if mistake == "over-limit" else quantity,
            target=f"1380000{self.purchase.buyer:04d}" if needs_target else None,
        )

    def place(self) -> Request:
        """Send the order, and arrange for all that the buyer means to do about it."""
        purchase, order, luck = self.purchase, self.order(), self.luck.fork("place")
        request = self.scene.requests.send(self._id("place"), order, self._actor, self._placed)
        if purchase.resend == "same":
            elsewhere = order.model_copy(update={"ip": "10.9.9.9"})
            self.scene.later(luck.uniform(0, 20), lambda: self._send("place", elsewhere, purpose="same"))
            self.scene.later(luck.uniform(0, 60), lambda: self.scene.requests.repeat(request))
        if purchase.cancel_after is not None:
            self.scene.later(purchase.cancel_after, self.cancel)
        if purchase.payment == CHANNEL:
            self.scene.window.when(PaymentOpened, purchase.order_id, lambda _: self._pay())
        if purchase.after_sale:
            self.scene.window.when(OrderCompleted, purchase.order_id, self._completed)
        return request

    def _placed(self, reply: Reply) -> None:
        """Whoever knows the outcome of the first may try the same id or number for something else."""
        order = self.order()
        other = order.model_copy(update={"wishes": (*order.wishes, order.wishes[0])})
        if self.purchase.resend == "conflict":
            self.scene.later(1, lambda: self._send("place", other, purpose="conflict"))
        elif self.purchase.resend == "taken":
            self.scene.later(1, lambda: self._send("place-other", other))

    def _id(self, what: str) -> str:
        return f"{self.purchase.order_id}/{what}"

    def _send(self, what: str, command: Command, actor: str = "", purpose: str = "new") -> None:
        self.scene.requests.send(self._id(what), command, actor or self._actor, purpose=purpose)

    def cancel(self) -> None:
        by = self.luck.fork("cancel").choice(("buyer", "staff"))
        command = CancelOrder(order_id=self.purchase.order_id, by=by, note="changed my mind")
        self._send("cancel", command, SUPPORT if by == "staff" else "")

    # Paying

    def _pay(self) -> None:
        luck, paying = self.luck.fork("pay"), self.purchase.paying
        self.scene.partners.channel.link(self.purchase.order_id)
        if paying == "never":
            return
        first = luck.uniform(1, 20) if paying != "late" else self.pay_within + luck.uniform(5, 100)
        self.scene.later(first, lambda: pay(self.scene, self.purchase.order_id))
        if paying == "twice":
            self.scene.later(first + luck.uniform(0, 60), lambda: pay(self.scene, self.purchase.order_id))

    # After the sale

    def _completed(self, event: OrderCompleted) -> None:
        luck, after = self.luck.fork("after-sale"), self.purchase.after_sale
        seconds = luck.uniform(3, 60)
        if "replace" in after:
            self.scene.later(seconds, self.replace)
        if after in ("refund", "replace-and-refund"):
            self.scene.later(seconds + luck.uniform(0, 30), lambda: self.refund("refund", None))
        if after in ("part-refund", "two-refunds"):
            self.scene.later(seconds, lambda: self.refund("part", max(1, event.delivered.amount // 3)))
        if after == "two-refunds":
            self.scene.later(seconds + luck.uniform(0, 30), lambda: self.refund("rest", None))
        if after == "over-refund":
            self.scene.later(seconds, lambda: self.refund("over", event.delivered.amount + 1))

    def refund(self, what: str, amount: int | None) -> None:
        id_ = self._id(what)
        money = None if amount is None else Money(amount=amount)
        command = RefundOrder(order_id=self.purchase.order_id, refund_id=id_, amount=money, reason="the buyer asked")
        self.scene.requests.send(id_, command, SUPPORT)

    def replace(self) -> None:
        """The first key of the first line that has keys is said to be no good."""
        for line in range(1, len(self.purchase.wishes) + 1):
            delivered = self.scene.window.seen(KeysDelivered, delivery_id(self.purchase.order_id, line))
            if delivered is not None:
                command = ReplaceKey(
                    order_id=self.purchase.order_id, line=line, number=delivered.numbers[0], reason="used before"
                )
                self._send("replace", command, SUPPORT)
                return
