"""Refusals of the sandboxes."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse


class TurnedAway(Exception):
    """A request that is not carried out. `status` is its HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


async def _answer(request: Request, turned: Exception) -> JSONResponse:
    assert isinstance(turned, TurnedAway)
    return JSONResponse({"detail": turned.detail}, status_code=turned.status)


def answer_politely(app: FastAPI) -> None:
    """Make the application answer TurnedAway with its status and detail."""
    app.add_exception_handler(TurnedAway, _answer)
