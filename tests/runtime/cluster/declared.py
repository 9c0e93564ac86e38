"""The toy services as modules name them, for processes of their own. The lamp's calls go to the KAMENG_TEST_WORLD."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.contracts import Command
from shared.runtime.service import Effect
from tests.runtime.toy import (
    ToyTell,
    button,
    gave_up,
    lamp,
)
from tests.waiting import PATIENCE


def tell(payload: Mapping[str, Any], attempt: int, adapters: object) -> Command:
    """Tell the world the lamp's name and wait for its word."""
    with socket.create_connection(("127.0.0.1", int(os.environ["KAMENG_TEST_WORLD"])), timeout=PATIENCE) as world:
        world.sendall(f"{payload['lamp']} {attempt}\n".encode())
        if world.recv(2) != b"ok":
            raise ConnectionError("the world hung up")
    return ToyTell(lamp=payload["lamp"], succeeded=True)


BUTTON = button()
LAMP = replace(lamp(), effects={"tell": Effect(tell, gave_up, attempts=3, first_delay_seconds=0.1)})
