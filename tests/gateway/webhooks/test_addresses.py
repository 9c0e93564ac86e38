"""Where webhooks may go, and where they never do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpcore
import pytest

from services.gateway.webhooks.addresses import (
    AddressRefused,
    CheckedNetwork,
    ConnectionNotAllowed,
    Resolve,
    check_reachable,
    check_url,
    is_public,
    resolve,
)

INSIDE = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
    "169.254.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.7", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1",
    "2002:7f00:1::1", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "2001:4860:4860::8888"]


def leading_to(*answers: Sequence[str]) -> Resolve:
    """A resolver that gives one answer after the other, the last for ever."""
    left = list(answers)

    async def resolver(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolver


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_let_through(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "hooks.example.com", "https://",
        "https:///path", "https://user@hooks.example.com/", "https://user:pass@hooks.example.com/",
        "https://hooks.example.com/#part", "https://hooks.example.com:0/", "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/", "https://hooks.example.com\\@127.0.0.1/", "https://ho oks.example.com/",
        "https://hooks.example.com/\r\nX-Evil: 1", "https://höoks.example.com/", "https://[::1/", "",
        "https://hooks.example.com/" + "a" * 500,
    ],
)  # fmt: skip
def test_a_url_that_webhooks_do_not_go_to(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, private=False)


def test_a_url_that_they_go_to() -> None:
    assert check_url("https://hooks.example.com/kameng?shop=1", private=False) == ("hooks.example.com", 443)
    assert check_url("https://hooks.example.com:8443", private=False) == ("hooks.example.com", 8443)
    assert check_url("http://127.0.0.1:8080/x", private=True) == ("127.0.0.1", 8080)


def test_development_lets_no_other_scheme_through() -> None:
    with pytest.raises(AddressRefused):
        check_url("ftp://hooks.example.com/", private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "localhost"])
def test_all_ways_to_write_this_machine_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        asyncio.run(check_reachable(f"https://{host}/", resolve, private=False))


@pytest.mark.parametrize("answer", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], []])
def test_a_name_is_refused_when_any_of_its_addresses_is_inside(answer: list[str]) -> None:
    with pytest.raises(AddressRefused):
        asyncio.run(check_reachable("https://hooks.example.com/", leading_to(answer), private=False))


def test_a_name_without_an_address_is_refused() -> None:
    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(AddressRefused, match="no address"):
        asyncio.run(check_reachable("https://hooks.example.invalid/", nowhere, private=False))


def connect(network: CheckedNetwork) -> None:
    asyncio.run(network.connect_tcp("hooks.example.com", 9, timeout=1))


def test_a_name_that_was_fine_when_registered_is_looked_up_again_at_each_connection() -> None:
    rebinding = leading_to(["8.8.8.8"], ["127.0.0.1"])
    asyncio.run(check_reachable("https://hooks.example.com/", rebinding, private=False))
    with pytest.raises(ConnectionNotAllowed):
        connect(CheckedNetwork(rebinding))


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    asked: list[str] = []

    async def once(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    network, went = CheckedNetwork(once), []

    class Inner(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
            went.append(host)
            return httpcore.AsyncMockStream([])

    network._inner = Inner()
    connect(network)
    assert (asked, went) == (["hooks.example.com"], ["8.8.8.8"])


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    went = []

    class Inner(httpcore.AsyncNetworkBackend):
        async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
            went.append(host)
            if len(went) == 1:
                raise httpcore.ConnectError("refused")
            return httpcore.AsyncMockStream([])

    network = CheckedNetwork(leading_to(["8.8.8.8", "8.8.4.4"]))
    network._inner = Inner()
    connect(network)
    assert went == ["8.8.8.8", "8.8.4.4"]
