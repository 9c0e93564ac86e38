"""Customers and staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.gateway.access.auth import GUEST, Permission, Principal
from services.gateway.access.credentials import normal
from services.gateway.access.places import place_of
from services.gateway.access.projection import staff
from services.gateway.access.sessions import session
from services.gateway.http.context import ApiContext, derived_id
from services.gateway.http.depends import ClientIp, IdempotencyKey, TheGate, counted, may
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Body, Login, Mailbox, PathId, ShownName, Username
from shared.contracts.gateway import AddStaff, RegisterCustomer, RemoveStaff, Role

router = APIRouter(prefix="/v1", tags=["people"], route_class=JsonRoute)
TAKEN = "customer-exists"
Manager = Annotated[Principal, Depends(may(Permission.STAFF_MANAGE))]


class CustomerBody(Body):
    login: Annotated[Login, Field(min_length=3, description="A name or an e-mail address to sign in with.")]
    password: Annotated[str, Field(min_length=8, max_length=200, strict=True)]
    name: ShownName = ""
    email: Mailbox = ""


class StaffBody(Body):
    username: Username
    role: Role
    password: Annotated[str, Field(min_length=12, max_length=200, strict=True)]


@contextmanager
def _counted(gate: ApiContext, ip: str) -> Iterator[None]:
    """Counts a registration, also of a login that is taken. Raises Problem (429) beyond the limits."""
    counts = [(gate.all_registered, "")]
    if not gate.is_own_site(ip):
        counts.append((gate.registered, place_of(ip)))
    with counted(*counts, code="too-many-registrations", detail="too many registrations; try again later"):
        yield


@router.post("/customers", status_code=201, summary="Register as a customer")
async def register(body: CustomerBody, gate: TheGate, ip: ClientIp) -> dict[str, Any]:
    """Answers with the customer's id and a token. An address registers so many an hour."""
    customer = derived_id("customer", body.login)
    profile = {"customer": customer, "name": body.name, "email": body.email}
    # Let in first: whoever is told that too many register was not registered, nor counted.
    async with gate.registering.admitted(place_of(ip)) as place:
        with _counted(gate, ip):
            if await run_sync(gate.credentials.is_former, "customer", body.login):
                raise Problem(409, TAKEN, "this login is taken")
            try:
                await gate.send(RegisterCustomer, GUEST, gate.backend.ports.new_id(), **profile)
            except Problem as problem:
                if problem.code != TAKEN:
                    raise
            # A login is taken by whoever has its password: a registration that broke off before this may be taken up
            # again.
            async with place:
                claimed = await run_sync(gate.credentials.claim, "customer", body.login, customer, body.password)
    if not claimed:
        raise Problem(409, TAKEN, "this login is taken")
    return {"customer": customer, **session(gate, Principal("customer", customer))}


@router.get("/staff", summary="Who is on the staff")
async def members(gate: TheGate, caller: Manager) -> dict[str, Any]:
    return {"items": list(await gate.rows(sa.select(staff).order_by(staff.c.username)))}


@router.post("/staff", status_code=201, summary="Add a member of staff")
async def add(
    body: StaffBody, gate: TheGate, caller: Manager, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """The same request again, with the same password, adds nobody twice and changes no password."""
    command_id = gate.command_id(caller, request, key)
    proof = gate.proof_of(body.password, command_id)
    reply = await gate.send(AddStaff, caller, command_id, username=body.username, role=body.role, password_proof=proof)
    # A repeated request only makes up for a password that was never stored, because the first one broke off.
    keep = gate.credentials.claim if reply.repeated else gate.credentials.store
    async with gate.hashing.taken(caller.actor):
        await run_sync(keep, "staff", body.username, body.username, body.password)
    return {"username": body.username, "role": body.role}


@router.delete("/staff/{username}", summary="Remove a member of staff")
async def remove(
    username: PathId, gate: TheGate, caller: Manager, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Their tokens end at once. Nobody removes themselves, and an administrator always remains."""
    username = normal(username)
    if username == caller.subject:
        raise Problem(409, "own-account", "another administrator has to remove you")
    await gate.send(RemoveStaff, caller, gate.command_id(caller, request, key), username=username)
    await run_sync(gate.credentials.remove, "staff", username)
    return {"username": username, "removed": True}
