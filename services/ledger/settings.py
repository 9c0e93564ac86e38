"""Settings of the ledger."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import OwnSettings


class LedgerSettings(OwnSettings):
    """`commission_basis_points` is an agent's share of captures; 10,000 is all of it."""

    ask_within_seconds: float = 7200
    commission_basis_points: int = Field(default=300, ge=0, le=10_000)
