"""Signing in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from pydantic import Field

from services.gateway.access.auth import Principal, issue
from services.gateway.access.credentials import normal
from services.gateway.access.places import place_of
from services.gateway.http.answers import Answer, answer, refusals
from services.gateway.http.context import ApiContext
from services.gateway.http.depends import STAFF, ClientIp, Context, too_many
from services.gateway.http.parsing import JsonRoute
from services.gateway.http.problems import Problem
from services.gateway.http.shapes import Body, Line
from shared.contracts.gateway import RecordSignIn, Role

router = APIRouter(prefix="/v1/sessions", tags=["people"], route_class=JsonRoute)


class Session(Answer):
    """A bearer token, when it expires, and whose it is."""

    token: str
    expires_at: str
    kind: Literal["staff", "customer"]
    subject: str
    role: Role | None


class SignedIn(Session):
    """A session. `device` is a mark of the device for this login."""

    device: str


class SignInBody(Body):
    kind: Literal["staff", "customer"] = "customer"
    login: Annotated[Line, Field(min_length=1)]
    password: Annotated[str, Field(min_length=1, max_length=200, strict=True)]
    device: Annotated[str, Field(max_length=200, strict=True, description="`device` of an earlier answer.")] | None = (
        None
    )


def session(context: ApiContext, principal: Principal) -> dict[str, Any]:
    """A new token with its expiry and its principal."""
    token, expires_at = issue(context.backend.secrets.get("tokens"), principal, context.backend.clock.now())
    return {
        "token": token,
        "expires_at": expires_at.isoformat(),
        "kind": principal.kind,
        "subject": principal.subject,
        "role": principal.role,
    }


async def _record(context: ApiContext, username: str, *, accepted: bool) -> None:
    command = RecordSignIn(username=username, accepted=accepted)
    await context.send(command, Principal("staff", username), context.backend.ids.new_id())


@router.post(
    "",
    status_code=201,
    summary="Sign in",
    response_model=SignedIn,
    responses=refusals(401, 404, 409, 413, 429, 504),
)
async def sign_in(body: SignInBody, context: Context, ip: ClientIp) -> Response:
    """The token is sent as `Authorization: Bearer <token>` and ends after 12 hours. Sign-ins of staff are recorded.

    `device` marks the device for this login. A device that sends it with its next sign-in is not slowed down by wrong
    tries that others make.
    """
    login, place = normal(body.login), place_of(ip)
    wait, begun = context.guessing.begin(body.kind, login, place, body.device, shared=context.is_own_site(ip))
    if wait:
        raise too_many(wait)
    is_known = context.guessing.knows(body.kind, login, place, body.device)
    caller = login if context.is_own_site(ip) else place
    try:
        async with (context.hashing if is_known else context.strangers).taken(caller):
            subject = await run_sync(context.credentials.check, body.kind, body.login, body.password)
    except Exception:
        context.guessing.forgive(begun)  # nothing was compared
        raise
    if subject is not None:
        context.guessing.succeeded(body.kind, login, place, begun)
    member = None
    if body.kind == "staff":
        # The list of staff says who is on the staff and in which role; the password does not.
        member = await context.found(STAFF, normal(body.login))
        if member is not None:
            await _record(context, member["username"], accepted=subject is not None)
    if subject is None or (body.kind == "staff" and member is None):
        raise Problem(401, "wrong-login", "no such login, or a wrong password")
    fields = session(context, Principal(body.kind, subject, member["role"] if member else None))
    return answer({**fields, "device": context.guessing.mark(body.kind, login, context.backend.ids.new_id())}, 201)
