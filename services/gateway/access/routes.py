"""Customers and staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import sqlalchemy as sa
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.gateway.access.auth import GUEST, Permission, Principal
from services.gateway.access.credentials import normal
from services.gateway.access.places import place_of
from services.gateway.access.projection import staff
from services.gateway.access.sessions import Session, session
from services.gateway.http.answers import ASKED, DECIDED, Answer, answer, refusals
from services.gateway.http.context import ApiContext, derived_id
from services.gateway.http.depends import ClientIp, Context, IdempotencyKey, counted, may
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


class Registered(Session):
    """A customer's id, and a token."""

    customer: str


class Member(Answer):
    """A member of staff, with the times of the last sign-in and of the last wrong password."""

    username: str
    role: Role
    added_at: str
    signed_in_at: str | None
    refused_at: str | None


class Members(Answer):
    items: list[Member]


class MemberAdded(Answer):
    username: str
    role: Role


class MemberRemoved(Answer):
    username: str
    removed: Literal[True]


class StaffBody(Body):
    username: Username
    role: Role
    password: Annotated[str, Field(min_length=12, max_length=200, strict=True)]


@contextmanager
def _counted(context: ApiContext, ip: str) -> Iterator[None]:
    """Counts a registration, even when the login is taken. Raises Problem (429) beyond the limits."""
    counts = [(context.all_registered, "")]
    if not context.is_own_site(ip):
        counts.append((context.registered, place_of(ip)))
    with counted(*counts, code="too-many-registrations", detail="too many registrations; try again later"):
        yield


@router.post(
    "/customers",
    status_code=201,
    summary="Register as a customer",
    response_model=Registered,
    responses=refusals(404, 409, 413, 429, 504),
)
async def register(body: CustomerBody, context: Context, ip: ClientIp) -> Response:
    """Answers with the customer's id and a token. The number of registrations an hour from one address is limited."""
    customer = derived_id("customer", body.login)
    command = RegisterCustomer(customer=customer, name=body.name, email=body.email)
    # Admission comes first: a request that is turned away as too many has registered nothing and was not counted.
    async with context.registering.admitted(place_of(ip)) as place:
        with _counted(context, ip):
            if await run_sync(context.credentials.is_former, "customer", body.login):
                raise Problem(409, TAKEN, "this login is taken")
            try:
                await context.send(command, GUEST, context.backend.ids.new_id())
            except Problem as problem:
                if problem.code != TAKEN:
                    raise
            # The password claims the login. A registration that broke off before this can therefore be repeated.
            async with place:
                claimed = await run_sync(context.credentials.claim, "customer", body.login, customer, body.password)
    if not claimed:
        raise Problem(409, TAKEN, "this login is taken")
    return answer({"customer": customer, **session(context, Principal("customer", customer))}, 201)


@router.get("/staff", summary="List the staff", response_model=Members, responses=refusals(*ASKED))
async def members(context: Context, caller: Manager) -> Response:
    return answer({"items": await context.rows(sa.select(staff).order_by(staff.c.username))})


@router.post(
    "/staff",
    status_code=201,
    summary="Add a member of staff",
    response_model=MemberAdded,
    responses=refusals(*DECIDED),
)
async def add(
    body: StaffBody, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    """Repeating the request with the same password adds nobody twice and changes no password."""
    command_id = context.command_id(caller, request, key)
    proof = context.proof_of(body.password, command_id)
    command = AddStaff(username=body.username, role=body.role, password_proof=proof)
    reply = await context.send(command, caller, command_id)
    # A repeated request stores a password only when the first one broke off before it stored one.
    keep = context.credentials.claim if reply.repeated else context.credentials.store
    async with context.hashing.taken(caller.actor):
        await run_sync(keep, "staff", body.username, body.username, body.password)
    return answer({"username": body.username, "role": body.role}, 201)


@router.delete(
    "/staff/{username}",
    summary="Remove a member of staff",
    response_model=MemberRemoved,
    responses=refusals(*DECIDED),
)
async def remove(
    username: PathId, context: Context, caller: Manager, request: Request, key: IdempotencyKey = None
) -> Response:
    """The tokens of the removed person end at once. Nobody can remove themselves, and one administrator must remain."""
    username = normal(username)
    if username == caller.subject:
        raise Problem(409, "own-account", "another administrator has to remove you")
    await context.send(RemoveStaff(username=username), caller, context.command_id(caller, request, key))
    await run_sync(context.credentials.remove, "staff", username)
    return answer({"username": username, "removed": True})
