"""TCP wires between the processes and their servers, with weather on them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal, TypeAlias, TypeVar

Way: TypeAlias = Literal["requests", "answers"]
BOTH: frozenset[Way] = frozenset(("requests", "answers"))
PIECE = 65_536
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to bytes: each piece waits `delay` seconds and for its length at `rate` bytes a second, all are
    `held` back for now, or those of some ways are `swallowed`; `refused` are new connections."""

    delay: float = 0.0
    rate: float = inf
    held: bool = False
    swallowed: frozenset[Way] = frozenset()
    refused: bool = False


CLEAR = Weather()


@dataclass(eq=False)
class _Connection:
    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    lost: set[Way] = field(default_factory=set)

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


class MessageBody:
    """Carries connections to one server; all its methods belong to the proxy's loop."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._weather, self._changed = CLEAR, asyncio.Event()
        self._connections: set[_Connection] = set()

    def change(self, weather: Weather) -> None:
        """Let there be other weather. A connection that lost bytes ends when the swallowing does: no network ever
        gives a connection a hole."""
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        if not weather.swallowed:
            for connection in self._connections:
                if connection.lost:
                    connection.abort()

    def cut(self) -> int:
        """Break every connection. How many there were."""
        for connection in self._connections:
            connection.abort()
        return len(self._connections)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its beginning to its end."""
        if self._weather.refused:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection((writer, far_writer))
        self._connections.add(connection)
        pumps = [
            asyncio.create_task(self._pump(connection, "requests", reader, far_writer)),
            asyncio.create_task(self._pump(connection, "answers", far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._connections.discard(connection)
            for end in connection.ends:
                end.close()

    async def _pump(
        self, connection: _Connection, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if await self._passes(connection, way, len(data)):
                    writer.write(data)
                    await writer.drain()

    async def _passes(self, connection: _Connection, way: Way, size: int) -> bool:
        """Wait as long as the weather wants. Whether the bytes go on at all."""
        while True:
            weather, changed = self._weather, self._changed
            if way in weather.swallowed:
                connection.lost.add(way)
            if way in connection.lost:
                return False
            if not weather.held:
                break
            await changed.wait()
        if pause := weather.delay + size / weather.rate:
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), pause)
        return True


class Proxy:
    """All wires, by name, in a thread of its own. Use it as a context."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._wires: dict[str, MessageBody] = {}
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def names(self) -> Collection[str]:
        return self._wires.keys()

    def wire(self, name: str, host: str, port: int) -> int:
        """Lay a wire to a server. The port of this machine at which it begins."""
        return self._do(self._lay(name, host, port))

    def change(self, names: Collection[str], weather: Weather) -> None:
        """Let there be this weather on these wires."""
        self._do(self._each(names, lambda wire: wire.change(weather)))

    def cut(self, names: Collection[str]) -> int:
        """Break every connection of these wires. How many there were."""
        return sum(self._do(self._each(names, MessageBody.cut)))

    async def _lay(self, name: str, host: str, port: int) -> int:
        wire = self._wires[name] = MessageBody(host, port)
        server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _each(self, names: Collection[str], act: Callable[[MessageBody], T]) -> list[T]:
        return [act(self._wires[name]) for name in names]

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for wire in self._wires.values():
            wire.cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=1) if others else None

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()
