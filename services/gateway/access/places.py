"""Where requests come from, and the places for work that is dear."""

from __future__ import annotations

from asyncio import Semaphore
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

from services.gateway.access.auth import Principal
from services.gateway.http.problems import Problem
from shared.values.identities import network, or_as_is


class Places:
    """So many at a time do what costs memory and time on purpose, and so many more wait; `each` caller is in so many
    of these places at most."""

    def __init__(self, at_once: int, waiting: int, each: int) -> None:
        self._free, self._most, self._each = Semaphore(at_once), at_once + waiting, each
        self._inside = Counter[str]()

    @asynccontextmanager
    async def taken(self, caller: str) -> AsyncIterator[None]:
        """Wait for a place; `caller` is who, or where from. Raises Problem (503) when too many do."""
        async with self.admitted(caller) as place, place:
            yield

    @asynccontextmanager
    async def admitted(self, caller: str) -> AsyncIterator[Semaphore]:
        """Be let in, before anything is done, to a place that is waited for later: it is what this gives. `caller` is
        who, or where from. Raises Problem (503) when too many are."""
        if self._inside.total() >= self._most or self._inside[caller] >= self._each:
            raise Problem(503, "too-busy", "too many do this at once; send this again", headers={"Retry-After": "1"})
        self._inside[caller] += 1
        try:
            yield self._free
        finally:
            self._inside[caller] -= 1
            if not self._inside[caller]:
                del self._inside[caller]


def place_of(ip: str) -> str:
    """What an address is counted by: an IPv4 address, or the /64 of an IPv6 one."""
    return or_as_is(network, ip)


def own_sites(told: str) -> Callable[[str], bool]:
    """Whether an address is that of one of the shop's own sites, from its setting."""
    networks = [ip_network(part.strip()) for part in told.split(",") if part.strip()]

    def is_own(ip: str) -> bool:
        if not networks:
            return False
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in one for one in networks)

    return is_own


def buyer_address(caller: Principal, ip: str, is_own: Callable[[str], bool]) -> str:
    """The address that an order came from, as rules count it: empty where it says nothing of the buyer, because staff
    or one of the shop's own sites passed the order on."""
    return "" if caller.kind == "staff" or is_own(ip) else ip
