"""Refusals and errors as problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from tempfile import gettempdir
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from shared.contracts import commands
from shared.eventstore.disk_space import FULL, trouble
from shared.eventstore.engines import is_outage
from shared.messages.messages import HALTED, Reply
from shared.telemetry.logs import bind

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 20
MOST_WHERE = 200
Facts = Mapping[str, Any]
log = structlog.get_logger(__name__)


class Problem(HTTPException):
    """A refusal or an error. `code` is stable and machine readable, `facts` holds details for the caller."""

    def __init__(
        self, status: int, code: str, detail: str, facts: Facts | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.code, self.facts = code, facts or {}


class Unknown(Problem):
    """An outcome that is unknown: the request may have been carried out, or may yet be."""


def not_found(what: str) -> Problem:
    return Problem(404, "not-found", f"there is no such {what}")


def not_shown_yet(what: str) -> Problem:
    """The problem for something that may exist, while the read models are behind."""
    return Problem(503, "not-shown-yet", f"this {what} can't be shown yet; ask again", headers={"Retry-After": "1"})


def of_reply(reply: Reply) -> Problem:
    """The problem that explains a reply other than accepted."""
    match reply.outcome:
        case "conflict":
            return Problem(
                409, reply.code or "idempotency-conflict", reply.detail or "this id was used before for another request"
            )
        case "refused":
            return Problem(reply.status, reply.code, reply.detail, reply.facts)
        case _ if reply.code == HALTED:
            return Problem(503, reply.code, f"no request is decided now: {reply.detail}", headers={"Retry-After": "60"})
        case _ if reply.code == "held-back":
            return Problem(
                503, reply.code, "an earlier request about the same thing waits for staff; send the same again later"
            )
        case _:
            return Problem(
                500, "not-decided", "the request could not be decided; it is kept, and staff will look at it"
            )


def document(
    request: Request, status: int, code: str, detail: str, facts: Facts, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem document. `facts` is a member of its own, so that no fact can replace a standard member."""
    bind(code=code)
    body = {
        "type": f"urn:kameng:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "facts": dict(facts),
    }
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def invalid(errors: Sequence[Any], status: int = 422) -> Problem:
    """The problem for a request of a wrong form: where and why, for the first faults. It never repeats what was sent,
    which may be a password."""
    found = [
        {"where": ".".join(str(part) for part in error["loc"])[:MOST_WHERE], "why": error["msg"]}
        for error in errors[:MOST_FAULTS]
    ]
    facts = {"errors": found} if len(errors) <= MOST_FAULTS else {"errors": found, "more": len(errors) - MOST_FAULTS}
    return Problem(status, "invalid-request", "the request does not have the described form", facts)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, OSError):  # the body of an import could not be stored
        return await _system(request, error.__cause__)
    if isinstance(error, Problem):
        return document(request, error.status_code, error.code, str(error.detail), error.facts, error.headers)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return document(request, error.status_code, code, str(error.detail), {}, error.headers)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return await _http(request, invalid(error.errors()))


async def _contract(request: Request, error: Exception) -> JSONResponse:
    """A command's contract may be stricter than the request that it was built from."""
    assert isinstance(error, ValidationError)
    if error.title not in commands():
        raise error
    return await _http(request, invalid(error.errors(include_input=False, include_url=False, include_context=False)))


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    if not is_outage(error):
        return await _unexpected(request, error)
    if full := trouble(error, request.app.state.context.backend.reads.url):
        return _no_room(request, full)
    log.warning("no database", error=type(error).__name__)
    detail = "the database does not answer; send the same request again"
    return document(request, 503, "no-database", detail, {}, {"Retry-After": "1"})


def no_room(error: BaseException) -> bool:
    """Whether an error says that the disk of a file is full."""
    return isinstance(error, OSError) and error.errno in FULL


def _no_room(request: Request, reason: str) -> JSONResponse:
    log.critical("nothing can be written", reason=reason)
    detail = f"no request is decided now: {reason}; send the same again"
    return document(request, 503, HALTED, detail, {}, {"Retry-After": "60"})


async def _system(request: Request, error: Exception) -> JSONResponse:
    """An error with a file, such as that of an import. A full disk is named as the reason."""
    if no_room(error):
        places = f"{request.app.state.context.backend.settings.var}, or that of temporary files ({gettempdir()}),"
        return _no_room(request, f"the disk of {places} is full")
    return await _unexpected(request, error)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request failed", error=type(error).__name__)
    return document(request, 500, "internal-error", "an internal error", {})


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ValidationError, _contract)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _unexpected)
