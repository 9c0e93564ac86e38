"""Outsiders of the sandbox: a payment channel and suppliers that speak the real protocol and misbehave on request."""

from typing import Final

# They call back while the platform is being killed. On uvloop, a connection that is reset while it opens raises
# AttributeError in anyio; on asyncio's own loop it is the ConnectError or ReadError that callers handle.
LOOP: Final = "asyncio"
