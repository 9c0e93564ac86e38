"""Addresses that requests come from, and limits on how many requests do costly work at once."""

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
    """Admits a bounded number of requests to costly work: `at_once` work, `waiting` more wait, and one caller has at
    most `each` of both."""

    def __init__(self, at_once: int, waiting: int, each: int) -> None:
        self._free, self._most, self._each = Semaphore(at_once), at_once + waiting, each
        self._inside = Counter[str]()

    @asynccontextmanager
    async def taken(self, caller: str) -> AsyncIterator[None]:
        """Wait for a place. `caller` is an actor or an address. Raises Problem (503) when too many wait."""
        async with self.admitted(caller) as place, place:
            yield

    @asynccontextmanager
    async def admitted(self, caller: str) -> AsyncIterator[Semaphore]:
        """Admit a caller who will wait for a place later. Yields the semaphore to wait for. `caller` is an actor or an
        address. Raises Problem (503) when too many are admitted."""
        if self._inside.total() >= self._most or self._inside[caller] >= self._each:
            raise Problem(
                503, "too-busy", "too many requests do this at once; send the same again", headers={"Retry-After": "1"}
            )
        self._inside[caller] += 1
        try:
            yield self._free
        finally:
            self._inside[caller] -= 1
            if not self._inside[caller]:
                del self._inside[caller]


def place_of(ip: str) -> str:
    """The key that an address is counted by: an IPv4 address, or the /64 network of an IPv6 address."""
    return or_as_is(network, ip)


def own_sites(setting: str) -> Callable[[str], bool]:
    """A function that says whether an address belongs to one of the shop's own sites. `setting` lists their
    networks."""
    networks = [ip_network(part.strip()) for part in setting.split(",") if part.strip()]

    def is_own(ip: str) -> bool:
        if not networks:
            return False
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return is_own


def buyer_address(caller: Principal, ip: str, is_own: Callable[[str], bool]) -> str:
    """The buyer's address, for the risk rules. It is empty when staff or one of the shop's own sites passed the order
    on, because their address says nothing about the buyer."""
    return "" if caller.kind == "staff" or is_own(ip) else ip
