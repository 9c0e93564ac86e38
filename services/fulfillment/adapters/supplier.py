"""Suppliers over HTTP: signed requests, idempotent by request id, looked up before they are repeated.

POST /purchases buys, GET /purchases/<request id> looks a purchase up; both answer with a PurchaseReport. A look-up's
signature covers the request id instead of a body. A supplier that answers a purchase with 503 or a 4xx (but 408 and
409) did not take it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from shared.contracts.fulfillment import PurchaseReport, RecordPurchase
from shared.contracts.inventory import SealedKey
from shared.runtime.service import EffectFailed
from shared.security.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from shared.values.json_text import NoJson, SaidTwice, read_as

UNCERTAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


NOT_CONFIGURED = "not configured: KAMENG_SUPPLIERS does not name it"


class OutcomeUnknown(EffectFailed):
    """The supplier's answer leaves the outcome of a purchase open: look it up later."""


class NotTaken(Exception):
    """The purchase did not reach the supplier, or the supplier refused it: this request bought nothing."""


@dataclass(frozen=True)
class Purchase:
    """What to buy. `target` is the account, number or address to deliver to. Orders of suppliers' products always have
    one."""

    delivery_id: str
    supplier: str
    request_id: str
    sku: str
    quantity: int
    target: str


class Supplier:
    """One supplier's API. All calls raise httpx.HTTPError for transport errors, and OutcomeUnknown for unusable
    answers."""

    def __init__(
        self,
        name: str,
        client: httpx.Client,
        secret: bytes,
        callback_url: str,
        now: Callable[[], datetime],
        seal: Callable[[PurchaseReport], tuple[SealedKey, ...]],
    ) -> None:
        self._name, self._client, self._secret = name, client, secret
        self._callback_url, self._now, self._seal = callback_url, now, seal

    def purchase(self, purchase: Purchase, attempt: int) -> RecordPurchase:
        """Buy. From the second attempt on, look the purchase up first, and buy only if it never arrived.

        A refusal counts as a failure only at the first attempt: later, an earlier request may still be on its way.
        """
        if attempt == 1:
            try:
                return self._post(purchase)
            except NotTaken as reason:
                return failed(purchase.delivery_id, purchase.supplier, str(reason))
        return self.look_up(purchase.request_id) or self._post(purchase)

    def look_up(self, request_id: str) -> RecordPurchase | None:
        """The state of a purchase, None if the supplier does not know it."""
        headers = self._signed(request_id.encode())
        response = self._client.get(f"/purchases/{quote(request_id, safe='')}", headers=headers)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        return self._report(response, request_id)

    def _post(self, purchase: Purchase) -> RecordPurchase:
        request = {
            "request_id": purchase.request_id,
            "sku": purchase.sku,
            "quantity": purchase.quantity,
            "target": purchase.target,
            "callback_url": self._callback_url,
        }
        body = json.dumps(request).encode()
        headers = {**self._signed(body), "Content-Type": "application/json"}
        try:
            response = self._client.post("/purchases", content=body, headers=headers)
        except NOT_SENT as error:
            raise NotTaken(f"not reachable: {type(error).__name__}") from error
        status = response.status_code
        if status == HTTPStatus.SERVICE_UNAVAILABLE or (response.is_client_error and status not in UNCERTAIN):
            raise NotTaken(f"not taken: HTTP {status}")
        return self._report(response, purchase.request_id)

    def _signed(self, body: bytes) -> dict[str, str]:
        timestamp = int(self._now().timestamp())
        return {TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: sign(self._secret, timestamp, body)}

    def _report(self, response: httpx.Response, request_id: str) -> RecordPurchase:
        if not response.is_success:
            raise OutcomeUnknown(f"{self._name} answered HTTP {response.status_code}")
        try:
            report = read_as(PurchaseReport, response.content)
        except ValidationError as error:
            faults = "; ".join(one["msg"] for one in error.errors(include_input=False, include_url=False)[:3])
            raise OutcomeUnknown(f"{self._name} answered what can't be read: {faults}") from None
        except (SaidTwice, NoJson) as error:
            raise OutcomeUnknown(f"{self._name} answered what can't be read: {error}") from None
        if report.request_id != request_id:
            raise OutcomeUnknown(f"{self._name} answered about another purchase")
        return report.told_by(self._name, self._seal(report))


def failed(delivery_id: str, supplier: str, reason: str) -> RecordPurchase:
    """The result of a purchase that certainly bought nothing."""
    return RecordPurchase(delivery_id=delivery_id, supplier=supplier, outcome="failed", reason=reason)


class Suppliers:
    """All configured suppliers by name."""

    def __init__(self, suppliers: Mapping[str, Supplier]) -> None:
        self._suppliers = suppliers

    def purchase(self, purchase: Purchase, attempt: int) -> RecordPurchase:
        """As Supplier.purchase; buying from a supplier that is not configured fails."""
        if purchase.supplier not in self._suppliers and attempt == 1:
            return failed(purchase.delivery_id, purchase.supplier, NOT_CONFIGURED)
        return self._named(purchase.supplier).purchase(purchase, attempt)

    def look_up(self, supplier: str, request_id: str) -> RecordPurchase | None:
        """As Supplier.look_up."""
        return self._named(supplier).look_up(request_id)

    def _named(self, supplier: str) -> Supplier:
        try:
            return self._suppliers[supplier]
        except KeyError:
            raise OutcomeUnknown(f"{supplier} is {NOT_CONFIGURED}") from None
