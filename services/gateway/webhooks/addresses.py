"""Allows webhooks to addresses of the public internet only.

Before each connection the name is looked up and all of its addresses are checked; the connection goes to a checked one.
A name that later leads elsewhere (DNS rebinding) therefore gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import httpcore

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
LONGEST = 500
# Networks that some version of the standard library calls global: IETF's own, 6to4 relays, the host of a virtual
# machine at Azure, site-local. Then IPv6 networks whose addresses carry an IPv4 address that a network may unpack:
# mapped, NAT64, Teredo and others of IETF's, 6to4.
_ALSO_INSIDE = tuple(
    ip_network(one)
    for one in (
        "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "fec0::/10",
        "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16",
    )
)  # fmt: skip


class AddressRefused(ValueError):
    """An address that webhooks may not go to. The text is for people and names no address."""


class ConnectionNotAllowed(httpcore.ConnectError):
    """When connecting, the name led to an address that webhooks may not go to."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of a name. Raises OSError for a name that has none."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in infos))


def is_public(address: str) -> bool:
    """Whether this is an address of the public internet."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.is_multicast or ip.is_reserved or ip.is_unspecified or not ip.is_global:
        return False
    return not any(ip in network for network in _ALSO_INSIDE)


def check_url(url: str, *, private: bool) -> tuple[str, int]:
    """The host and port of a URL that webhooks may be posted to, judging by its text. Raises AddressRefused.

    `private` also allows http and addresses of private networks, for development.
    """
    if len(url) > LONGEST or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        raise AddressRefused("this is not a URL")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressRefused("this is not a URL") from None
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise AddressRefused("only https is allowed")
    if not host or port == 0:
        raise AddressRefused("this is not a URL")
    if "@" in parts.netloc or parts.fragment:
        raise AddressRefused("neither a user, a password nor a fragment may stand in the URL")
    return host, port or (443 if parts.scheme == "https" else 80)


async def check_reachable(url: str, resolver: Resolve, *, private: bool) -> None:
    """Look a URL's host up, as each delivery will. Raises AddressRefused."""
    host, port = check_url(url, private=private)
    await _checked(host, port, resolver, private)


async def _checked(host: str, port: int, resolver: Resolve, private: bool) -> Sequence[str]:
    try:
        addresses = await resolver(host, port)
    except (OSError, UnicodeError):
        raise AddressRefused("this name has no address") from None
    if not addresses:
        raise AddressRefused("this name has no address")
    if not private and not all(map(is_public, addresses)):
        raise AddressRefused("this leads to a private or reserved address")
    return addresses


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only. TLS and the request still name the host of the URL."""

    def __init__(self, resolver: Resolve = resolve, *, private: bool = False) -> None:
        self._resolver, self._private = resolver, private
        self._inner = cast(httpcore.AsyncNetworkBackend, httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await _checked(host, port, self._resolver, self._private)
        except AddressRefused as error:
            raise ConnectionNotAllowed(str(error)) from error
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
