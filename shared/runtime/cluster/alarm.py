"""Wakes a thread that waits for a socket."""

from __future__ import annotations

import os
import select


class Alarm:
    """`ring`, from any thread, ends the `wait` of one thread: the current one, or else the next."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._rung = False

    def ring(self) -> None:
        """End the wait."""
        if not self._rung:
            self._rung = True
            os.write(self._write, b"!")

    def wait(self, seconds: float, socket: int | None = None) -> bool:
        """Wait until `ring` is called, the socket with this file number is readable, or `seconds` are over. Returns
        whether the socket is readable."""
        watched = [self._read] if socket is None else [self._read, socket]
        readable, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._read in readable:
            os.read(self._read, 64)
            self._rung = False
        return socket in readable
