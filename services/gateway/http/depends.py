"""Dependencies of routes: the context, the caller, a permission, an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.gateway.access.auth import GUEST, BadToken, Claims, Permission, Principal, read
from services.gateway.access.projection import staff
from services.gateway.access.throttle import Throttle
from services.gateway.http.context import ApiContext
from services.gateway.http.problems import Problem, Unknown
from services.gateway.resource_projection import iso
from shared.readside.batched_query import BatchedQuery
from shared.values import identities
from shared.values.identities import or_as_is

_bearer = HTTPBearer(auto_error=False, description="A token from POST /v1/sessions or POST /v1/customers.")
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
STAFF = BatchedQuery(staff.c.username)


def context_of(request: Request) -> ApiContext:
    """The application's context."""
    return request.app.state.context


def ip_of(request: Request) -> str:
    """The caller's address: that of the peer, or the one that a trusted proxy names."""
    return or_as_is(identities.address, request.client.host) if request.client else ""


# FastAPI would call each of these in a thread if it were not `async`. Each costs a request some 20 µs, so dependencies
# that take the request anyway call the functions above.
async def context(request: Request) -> ApiContext:
    return context_of(request)


async def client_ip(request: Request) -> str:
    return ip_of(request)


Context = Annotated[ApiContext, Depends(context)]
ClientIp = Annotated[str, Depends(client_ip)]


def unauthorized(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers=_CHALLENGE)


async def principal(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], request: Request
) -> Principal:
    """The principal that the token names; a guest without one. Raises Problem (401) for a token that is not valid."""
    if credentials is None:
        if "authorization" in request.headers:
            raise unauthorized("bad-token", "the Authorization header must be of the form: Bearer <token>")
        return GUEST
    context = context_of(request)
    try:
        claims = read(context.backend.secrets.get("tokens"), credentials.credentials, context.backend.clock.now())
    except BadToken:
        raise unauthorized("bad-token", "the token is not valid, or has expired") from None
    if claims.principal.kind == "staff":
        await _require_on_staff(context, claims)
    return claims.principal


async def _require_on_staff(context: ApiContext, claims: Claims) -> None:
    """Check that the holder of a token is on the staff, in the same role, since before the token was issued."""
    row = await context.found(STAFF, claims.principal.subject)
    if row is None or row["role"] != claims.principal.role or row["added_at"] > iso(claims.issued_at):
        raise unauthorized("bad-token", "the token's holder is no longer on the staff in this role")


Caller = Annotated[Principal, Depends(principal)]


def may(permission: Permission) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """A dependency that requires this permission. Raises Problem (401 or 403)."""

    async def check(caller: Caller) -> Principal:
        demand(caller, permission)
        return caller

    return check


def demand(caller: Principal, permission: Permission) -> None:
    """Require a permission of the caller. Raises Problem: 401 for guests, 403 for others without it."""
    if caller.kind == "guest":
        raise unauthorized("sign-in-required", "this needs a token")
    if not caller.may(permission):
        raise Problem(403, "forbidden", "your role does not allow this", {"permission": str(permission)})


def slow_down(throttle: Throttle, caller: str) -> None:
    """Raises Problem (429) while the caller must wait because of too many failures."""
    if wait := throttle.wait(caller):
        raise too_many(wait)


def too_many(wait: float, code: str = "too-many-attempts", detail: str = "too many wrong attempts") -> Problem:
    """The problem (429) for a caller who must wait `wait` seconds."""
    return Problem(429, code, detail, headers={"Retry-After": str(int(wait) + 1)})


@contextmanager
def counted(
    *tries: tuple[Throttle, str], code: str = "too-many-attempts", detail: str = "too many wrong attempts"
) -> Iterator[None]:
    """Counts the work inside against each throttle, from its beginning, so that work under way is counted as well.

    Work that ends with an error or a 503 is uncounted, unless it may have been done all the same. Raises Problem (429,
    with this code and detail) when one of the callers must wait.
    """
    if wait := max(throttle.wait(caller) for throttle, caller in tries):
        raise too_many(wait, code, detail)
    for throttle, caller in tries:
        throttle.tried(caller)
    try:
        yield
    except Exception as error:  # a cancelled request is no Exception: it stays counted
        if not isinstance(error, Problem) or (error.status_code == 503 and not isinstance(error, Unknown)):
            for throttle, caller in tries:
                throttle.forgive(caller)
        raise


async def admit(request: Request) -> None:
    """Raises Problem (401, 403) for a caller without the permission to import, judging by the headers alone."""
    demand(await principal(await _bearer(request), request), Permission.IMPORT)


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="A request that is repeated with the same key is carried out once, and gets the same answer.",
    ),
]
