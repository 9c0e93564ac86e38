"""What routes ask for: the gate, the caller, a permission, an Idempotency-Key."""

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
    """The application's gate."""
    return request.app.state.context


def ip_of(request: Request) -> str:
    """The caller's address: the peer's, unless that is one of our proxies, which says whom it speaks for."""
    return or_as_is(identities.address, request.client.host) if request.client else ""


# Not `async`, they would each be sent to a thread. Each costs a request some 20 µs: what depends on the request anyway
# takes the functions above.
async def context(request: Request) -> ApiContext:
    return context_of(request)


async def client_ip(request: Request) -> str:
    return ip_of(request)


Context = Annotated[ApiContext, Depends(context)]
ClientIp = Annotated[str, Depends(client_ip)]


def unauthorized(code: str, detail: str) -> Problem:
    return Problem(401, code, detail, headers=_CHALLENGE)


async def principal(
    told: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)], request: Request
) -> Principal:
    """Whoever the token names; a guest without one. Raises Problem (401) for a token that does not hold."""
    if told is None:
        if "authorization" in request.headers:
            raise unauthorized("bad-token", "the Authorization header must be of the form: Bearer <token>")
        return GUEST
    context = context_of(request)
    try:
        claims = read(context.backend.secrets.get("tokens"), told.credentials, context.backend.clock.now())
    except BadToken:
        raise unauthorized("bad-token", "the token is not valid, or is over") from None
    if claims.principal.kind == "staff":
        await _still_staff(context, claims)
    return claims.principal


async def _still_staff(context: ApiContext, claims: Claims) -> None:
    """A token ends with its holder's place on the staff, and does not come back with a new one."""
    row = await context.found(STAFF, claims.principal.subject)
    if row is None or row["role"] != claims.principal.role or row["added_at"] > iso(claims.issued_at):
        raise unauthorized("bad-token", "the token's holder is no longer on the staff in this role")


Caller = Annotated[Principal, Depends(principal)]


def may(permission: Permission) -> Callable[..., Coroutine[Any, Any, Principal]]:
    """A dependency that lets only staff with this permission through, others get 401 or 403."""

    async def check(caller: Caller) -> Principal:
        demand(caller, permission)
        return caller

    return check


def demand(caller: Principal, permission: Permission) -> None:
    """Raises Problem: 401 for guests, 403 for anyone who may not."""
    if caller.kind == "guest":
        raise unauthorized("sign-in-required", "this needs a token")
    if not caller.may(permission):
        raise Problem(403, "forbidden", "your role does not allow this", {"permission": str(permission)})


def slow_down(throttle: Throttle, caller: str) -> None:
    """Raises Problem (429) while a caller that failed too often must wait."""
    if wait := throttle.wait(caller):
        raise too_many(wait)


def too_many(wait: float, code: str = "too-many-attempts", detail: str = "too many wrong attempts") -> Problem:
    """For who must wait so many seconds."""
    return Problem(429, code, detail, headers={"Retry-After": str(int(wait) + 1)})


@contextmanager
def counted(
    *tries: tuple[Throttle, str], code: str = "too-many-attempts", detail: str = "too many wrong attempts"
) -> Iterator[None]:
    """Counts what is done inside, from its beginning, so that what is under way is counted too. Where we could not do
    it, an error or a 503, it counts no longer; what may have been done counts.

    Raises Problem (429, with this code and detail) when one of the callers must wait.
    """
    if wait := max(throttle.wait(caller) for throttle, caller in tries):
        raise too_many(wait, code, detail)
    for throttle, caller in tries:
        throttle.tried(caller)
    try:
        yield
    except Exception as error:  # who breaks a request off is no such error: they would never be counted
        if not isinstance(error, Problem) or (error.status_code == 503 and not isinstance(error, Unknown)):
            for throttle, caller in tries:
                throttle.forgive(caller)
        raise


async def admit(request: Request) -> None:
    """Raises Problem (401, 403) for whoever may import nothing, from the headers alone."""
    demand(await principal(await _bearer(request), request), Permission.IMPORT)


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key with the same request is done once, and answered alike.",
    ),
]
