"""The scheduler's calls to suppliers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import httpx

from services.fulfillment.adapters import Adapters
from services.fulfillment.adapters.supplier import OutcomeUnknown, Purchase
from shared.contracts.fulfillment import RecordPurchase, RecordPurchaseUnknown
from shared.runtime.service import Effect, Outcome


def purchase(payload: Mapping[str, Any], attempt: int, adapters: Adapters) -> RecordPurchase:
    """Buy once. Raises while the outcome is unknown."""
    return adapters.suppliers.purchase(Purchase(**payload), attempt)


def poll(payload: Mapping[str, Any], attempt: int, adapters: Adapters) -> RecordPurchase:
    """Look a pending purchase up. Raises while it is pending."""
    report = adapters.suppliers.look_up(payload["supplier"], payload["request_id"])
    if report is None:
        raise OutcomeUnknown(f"{payload['supplier']} no longer knows the purchase")
    if report.outcome == "pending":
        raise OutcomeUnknown(f"{payload['supplier']} is still working on it")
    return report


def look_again(payload: Mapping[str, Any], attempt: int, adapters: Adapters) -> RecordPurchase | RecordPurchaseUnknown:
    """Look up a purchase that failed or is unknown: it may succeed late, and its callback may be lost.

    Raises until the supplier says that it is done, or the time for looking up is over.
    """
    is_over = adapters.now() - datetime.fromisoformat(payload["since"]) >= adapters.look_up_for
    try:
        return _done(payload, adapters)
    except (OutcomeUnknown, httpx.HTTPError) as nothing_new:
        if not is_over:
            raise
        return unknown(payload, str(nothing_new))


def _done(payload: Mapping[str, Any], adapters: Adapters) -> RecordPurchase:
    report = adapters.suppliers.look_up(payload["supplier"], payload["request_id"])
    if report is None or report.outcome != "done":
        raise OutcomeUnknown(f"{payload['supplier']} has not delivered it")
    return report


def unknown(payload: Mapping[str, Any], reason: str) -> RecordPurchaseUnknown:
    """The result when the outcome of a purchase could not be found out."""
    return RecordPurchaseUnknown(
        delivery_id=payload["delivery_id"],
        supplier=payload["supplier"],
        reason=f"the outcome of the purchase is unknown: {reason}"[:500],
    )


def outcome(result: RecordPurchase | RecordPurchaseUnknown) -> Outcome:
    """The outcome of a call, for its metrics."""
    return result.outcome if isinstance(result, RecordPurchase) else "done"


_call = partial(Effect, gave_up=unknown, partner="supplier", outcome=outcome)
# After about 80 seconds a purchase is handed over to a person; a pending one after about 8 minutes. `look_again` ends
# itself.
EFFECTS: Mapping[str, Effect] = {
    "purchase": _call(run=purchase, attempts=10, first_delay_seconds=0.2, longest_delay_seconds=30),
    "poll_purchase": _call(run=poll, attempts=14, first_delay_seconds=1, longest_delay_seconds=60),
    "look_again": _call(run=look_again, attempts=100_000, first_delay_seconds=30, longest_delay_seconds=3_600),
}
