"""The way to the partners, and what goes wrong on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import httpx

from shared.runtime.settings import ChannelSettings, SupplierSettings
from shared.runtime.simulated.host import Simulated
from shared.runtime.simulated.luck import Luck
from tests.simulation.manners import Manners, Whims
from tests.simulation.partners.channel import Channel
from tests.simulation.partners.partner import Partner
from tests.simulation.partners.supplier import Supplier

CHANNEL, SUPPLIERS, STRANGER = "wechat", ("north", "south"), "west"
ADDRESSES = {
    "channels": {CHANNEL: ChannelSettings(url=f"http://{CHANNEL}.sim")},
    "suppliers": {name: SupplierSettings(url=f"http://{name}.sim") for name in (*SUPPLIERS, STRANGER)},
}
WHILE_SECONDS, DOWN_SECONDS, DELAY_SECONDS = 30.0, 40.0, 20.0


class Partners(httpx.BaseTransport):
    """A channel, two suppliers, and a third that no product names. First `move_in`, then use it as HTTP transport.

    `stock` are our own keys in the clear: suppliers may sell the same.
    """

    channel: Channel
    suppliers: Mapping[str, Supplier]
    stock: Sequence[str] = ()

    def __init__(self, manners: Manners, luck: Luck) -> None:
        self.whims, self._luck = Whims(manners, luck.fork("whims")), luck
        self._by_host: dict[str, Partner] = {}

    def move_in(self, host: Simulated) -> None:
        """Begin business, with a platform that knows the ADDRESSES."""
        self._host = host
        stranger = Supplier(STRANGER, self.whims, self._luck.fork(STRANGER), host)
        self.channel = Channel(CHANNEL, self.whims, self._luck.fork(CHANNEL), host)
        self.suppliers = {
            name: Supplier(name, self.whims, self._luck.fork(name), host, stranger, lambda: self.stock)
            for name in SUPPLIERS
        }
        self._by_host = {f"{it.name}.sim": it for it in (self.channel, *self.suppliers.values(), stranger)}
        self._fall_down()

    def heal(self) -> None:
        """From now on everybody behaves; nobody pays any more what is not paid yet."""
        self.whims.heal()
        for partner in self.all:
            partner.is_down = False
        self.channel.close_all()

    def is_quiet(self) -> bool:
        """Whether no callback is under way."""
        return not any(partner.under_way for partner in self.all)

    @property
    def all(self) -> Collection[Partner]:
        return self._by_host.values()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        partner, strike = self._by_host[request.url.host], self.whims.strike
        if partner.is_down:
            return httpx.Response(503)
        if strike("unreachable"):
            raise httpx.ConnectError("refused", request=request)
        if strike("erring"):
            return httpx.Response(500)
        if strike("delayed"):
            seconds = self._luck.uniform(0, DELAY_SECONDS)
            self._host.timeline.after(seconds, lambda: partner.answer(request))
            raise httpx.ReadTimeout("no answer", request=request)
        answer = partner.answer(request)
        if strike("unanswered"):
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(502) if strike("garbled") else answer

    def _fall_down(self) -> None:
        """From time to time one of them is down for a while."""
        if self.whims.manners.down:
            self._host.timeline.after(self._luck.expovariate(1 / WHILE_SECONDS), self._fall_down)
        if self.whims.strike("down"):
            partner = self._luck.choice(list(self.all))
            partner.is_down = True
            self._host.timeline.after(self._luck.uniform(0, DOWN_SECONDS), lambda: _rise(partner))


def _rise(partner: Partner) -> None:
    partner.is_down = False
