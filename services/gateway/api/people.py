"""Customers and staff."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from services.gateway.api.depends import IdempotencyKey, TheGate, may
from services.gateway.api.gate import derived_id
from services.gateway.api.sessions import session
from services.gateway.api.shapes import Body, Email, Line, PathId, Username
from services.gateway.auth import GUEST, Permission, Principal
from services.gateway.credentials import normal
from services.gateway.problems import Problem
from services.gateway.tables.people import staff
from shared.contracts.gateway import AddStaff, RegisterCustomer, RemoveStaff, Role

router = APIRouter(prefix="/v1", tags=["people"])
TAKEN = "customer-exists"
Manager = Annotated[Principal, Depends(may(Permission.STAFF_MANAGE))]


class CustomerBody(Body):
    login: Annotated[Line, Field(min_length=3, description="A name or an e-mail address to sign in with.")]
    password: Annotated[str, Field(min_length=8, max_length=200, strict=True)]
    name: Line = ""
    email: Email = ""


class StaffBody(Body):
    username: Username
    role: Role
    password: Annotated[str, Field(min_length=12, max_length=200, strict=True)]


@router.post("/customers", status_code=201, summary="Register as a customer")
async def register(body: CustomerBody, gate: TheGate) -> dict[str, Any]:
    """Answers with the customer's id and a token."""
    customer = derived_id("customer", normal(body.login))
    profile = {"customer": customer, "name": body.name, "email": body.email}
    try:
        await gate.send(RegisterCustomer, GUEST, gate.backend.ports.new_id(), **profile)
    except Problem as problem:
        if problem.code != TAKEN:
            raise
    # A login is taken by whoever has its password: a registration that broke off before this may be taken up again.
    async with gate.hashing:
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
    command_id = gate.command_id(caller, request, key)
    await gate.send(AddStaff, caller, command_id, username=body.username, role=body.role)
    async with gate.hashing:
        await run_sync(gate.credentials.store, "staff", body.username, body.username, body.password)
    return {"username": body.username, "role": body.role}


@router.delete("/staff/{username}", summary="Remove a member of staff")
async def remove(
    username: PathId, gate: TheGate, caller: Manager, request: Request, key: IdempotencyKey = None
) -> dict[str, Any]:
    """Their tokens end at once. Nobody removes themselves, so that an administrator always remains."""
    if username == caller.subject:
        raise Problem(409, "own-account", "another administrator has to remove you")
    await gate.send(RemoveStaff, caller, gate.command_id(caller, request, key), username=username)
    await run_sync(gate.credentials.remove, "staff", username)
    return {"username": username, "removed": True}
