"""Work that is done before the API serves: the first administrator, and imports that no process runs any more."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable

import sqlalchemy as sa
from anyio.to_thread import run_sync

from services.gateway.access.credentials import Credentials
from services.gateway.access.projection import staff
from services.gateway.imports.runs import Runs
from shared.contracts import Metadata
from shared.contracts.gateway import AddStaff
from shared.messages.messages import CommandMessage
from shared.readside.backend import Backend

USERNAME = "admin"


class NotAccepted(RuntimeError):
    """The gateway's writer refused the first administrator; the text says why."""


async def ensure_administrator(backend: Backend, show: Callable[[str], None]) -> None:
    """Add the staff member `admin` when no staff can sign in yet, and pass the password to `show`. It is stored
    nowhere.

    When several processes start at once, one of them shows the password. When a process is killed before it does, the
    next start shows one. This also creates the tables of credentials, so call it before the API serves.
    Raises NotAccepted when the gateway's writer refuses the administrator.
    """
    credentials = await run_sync(Credentials, backend.reads)
    await run_sync(credentials.create)
    if await run_sync(credentials.any, "staff"):
        return
    if not await run_sync(_is_staff, backend.reads, USERNAME):
        command_id = backend.ids.new_id()
        meta = Metadata(correlation_id=command_id, causation_id=command_id, actor="system:gateway")
        message = CommandMessage(command_id, AddStaff(username=USERNAME, role="administrator"), meta)
        reply = await backend.send("gateway", message)
        if reply.outcome == "accepted":
            await backend.wait_for_position(reply.source, reply.position)
        elif reply.code != "staff-exists":  # added meanwhile by another process
            raise NotAccepted(f"the first administrator was not accepted ({reply.code}): {reply.detail}")
    password = b32encode(backend.ids.random_bytes(20)).decode().lower()
    await run_sync(credentials.claim, "staff", USERNAME, USERNAME, password, show)


async def interrupt_imports(backend: Backend) -> None:
    """Mark running imports as interrupted. Call it only when no other process serves this database."""
    await run_sync(Runs(backend.reads).interrupt_all, backend.clock.now())


def _is_staff(engine: sa.Engine, username: str) -> bool:
    with engine.connect() as connection:
        return connection.execute(sa.select(staff).where(staff.c.username == username)).first() is not None
