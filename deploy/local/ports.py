"""Ports of our own, remembered, so that a server comes back where its clients look for it."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_OURS = range(10_240, 65_536)


class Ports:
    """The ports of one server by name, kept in a JSON file."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._path, self._names = path, names

    def __getitem__(self, name: str) -> int:
        return self._read()[name]

    def all(self) -> list[int]:
        """Every remembered port."""
        return list(self._read().values())

    @property
    def known(self) -> bool:
        """Whether ports were ever settled on."""
        return self._path.exists()

    def settle(self) -> None:
        """Keep the remembered ports that are free, choose others for the rest. For a server that does not run."""
        chosen: dict[str, int] = {}
        remembered = self._read()
        for name in self._names:
            port = remembered.get(name)
            chosen[name] = port if port and is_free(port) else free_port(set(chosen.values()))
        if chosen != remembered:
            self._path.write_text(json.dumps(chosen) + "\n")

    def taken(self) -> list[int]:
        """The remembered ports on which somebody listens."""
        return [port for port in self.all() if not is_free(port)]

    def _read(self) -> dict[str, int]:
        return json.loads(self._path.read_text()) if self.known else {}


def is_free(port: int) -> bool:
    """Whether one can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last server's closed connections don't count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port(besides: set[int]) -> int:
    """A free port that the system never gives to outgoing connections.

    A client that keeps trying a port of that range while its server is down may be given that very port, talk to itself
    and bar the server from coming back.
    """
    avoided = _ephemeral()
    candidates = [port for port in _OURS if port not in avoided and port not in besides]
    random.shuffle(candidates)
    return next(port for port in candidates or _OURS if is_free(port))


def _ephemeral() -> range:
    low, high = map(int, _EPHEMERAL.read_text().split())
    return range(low, high + 1)
