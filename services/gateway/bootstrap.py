"""The first administrator."""

from __future__ import annotations

from base64 import b32encode

import sqlalchemy as sa
from anyio.to_thread import run_sync

from services.gateway.credentials import Credentials
from services.gateway.tables.people import staff
from shared.contracts import Metadata
from shared.contracts.gateway import AddStaff
from shared.hosting.backend import Backend
from shared.messaging.port import CommandMessage

USERNAME = "admin"


async def ensure_administrator(backend: Backend) -> str | None:
    """Where nobody on the staff can sign in yet, make `admin`; the password is returned once and kept nowhere.

    The table of credentials is made with it, so run this before the API serves.
    Raises RuntimeError when the gateway does not accept it.
    """
    credentials = await run_sync(Credentials, backend.reads)
    await run_sync(credentials.create)
    if await run_sync(credentials.any, "staff"):
        return None
    if not await run_sync(_is_staff, backend.reads, USERNAME):
        command_id = backend.ports.new_id()
        meta = Metadata(correlation_id=command_id, causation_id=command_id, actor="system:gateway")
        message = CommandMessage(command_id, AddStaff(username=USERNAME, role="administrator"), meta)
        reply = await backend.send("gateway", message)
        if reply.outcome != "accepted":
            raise RuntimeError(f"the first administrator was not accepted: {reply.code} {reply.detail}")
        await backend.seen(reply.source, reply.position)
    password = b32encode(backend.ports.random_bytes(20)).decode().lower()
    # Of several processes that start at once, one gives the password, and only that one tells it.
    return password if await run_sync(credentials.claim, "staff", USERNAME, USERNAME, password) else None


def _is_staff(engine: sa.Engine, username: str) -> bool:
    with engine.connect() as connection:
        return connection.execute(sa.select(staff).where(staff.c.username == username)).first() is not None
