"""Principals, their permissions, and bearer tokens."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Literal, get_args

from shared.contracts.gateway import Role

TOKEN_LIFE = timedelta(hours=12)
_PURPOSE = b"kameng token 1\n"
Kind = Literal["staff", "customer", "guest", "channel", "supplier"]
ROLES: tuple[Role, ...] = get_args(Role)


class Permission(StrEnum):
    """An operation that staff need a role for."""

    IMPORT = "import"
    PRODUCT_CHANGE = "product.change"
    PRODUCT_COST = "product.cost"
    ORDER_READ = "order.read"
    ORDER_PLACE = "order.place"
    ORDER_AGENT = "order.agent"
    ORDER_CANCEL = "order.cancel"
    ORDER_REFUND = "order.refund"
    ORDER_REPLACE = "order.replace"
    WALLET_READ = "wallet.read"
    WALLET_DEPOSIT = "wallet.deposit"
    PAYMENT_READ = "payment.read"
    LEDGER_READ = "ledger.read"
    LEDGER_POST = "ledger.post"
    RISK_READ = "risk.read"
    RISK_DECIDE = "risk.decide"
    RISK_LISTS = "risk.lists"
    DELIVERY_RESOLVE = "delivery.resolve"
    SUPPLIER_READ = "supplier.read"
    SUPPLIER_SETTLE = "supplier.settle"
    NOTIFICATION_READ = "notification.read"
    EVENTS_READ = "events.read"
    STAFF_MANAGE = "staff.manage"
    WEBHOOK_MANAGE = "webhook.manage"


_GRANTED: Mapping[Permission, frozenset[Role]] = {
    Permission.IMPORT: frozenset({"operations"}),
    Permission.PRODUCT_CHANGE: frozenset({"operations"}),
    Permission.PRODUCT_COST: frozenset({"operations", "finance"}),
    Permission.ORDER_READ: frozenset({"operations", "support", "finance"}),
    Permission.ORDER_PLACE: frozenset({"operations", "support"}),
    Permission.ORDER_AGENT: frozenset({"operations"}),
    Permission.ORDER_CANCEL: frozenset({"support"}),
    Permission.ORDER_REFUND: frozenset({"support", "finance"}),
    Permission.ORDER_REPLACE: frozenset({"support"}),
    Permission.WALLET_READ: frozenset({"support", "finance"}),
    Permission.WALLET_DEPOSIT: frozenset({"finance"}),
    Permission.PAYMENT_READ: frozenset({"support", "finance"}),
    Permission.LEDGER_READ: frozenset({"finance"}),
    Permission.LEDGER_POST: frozenset({"finance"}),
    Permission.RISK_READ: frozenset({"operations", "support"}),
    Permission.RISK_DECIDE: frozenset({"operations", "support"}),
    Permission.RISK_LISTS: frozenset({"operations"}),
    Permission.DELIVERY_RESOLVE: frozenset({"operations", "support"}),
    Permission.SUPPLIER_READ: frozenset({"operations", "support", "finance"}),
    Permission.SUPPLIER_SETTLE: frozenset({"operations", "finance"}),
    Permission.NOTIFICATION_READ: frozenset({"operations", "support"}),
    Permission.EVENTS_READ: frozenset({"operations", "subscriber"}),
    Permission.STAFF_MANAGE: frozenset(),
    Permission.WEBHOOK_MANAGE: frozenset(),
}
PERMISSIONS: Mapping[Permission, frozenset[Role]] = {
    permission: roles | frozenset[Role]({"administrator"}) for permission, roles in _GRANTED.items()
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request: a person, or a partner whose signature was valid. Only staff have a role."""

    kind: Kind
    subject: str = ""
    role: Role | None = None

    @property
    def actor(self) -> str:
        """How messages name this principal."""
        return f"{self.kind}:{self.subject}" if self.subject else self.kind

    def may(self, permission: Permission) -> bool:
        return self.role is not None and self.role in PERMISSIONS[permission]


GUEST = Principal("guest")


class BadToken(ValueError):
    """A token that this platform did not issue, or that has expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; times are UTC."""

    principal: Principal
    issued_at: datetime
    expires_at: datetime


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature(secret: bytes, payload: str) -> str:
    return _encode(hmac.new(secret, _PURPOSE + payload.encode(errors="replace"), sha256).digest())


def issue(secret: bytes, principal: Principal, now: datetime) -> tuple[str, datetime]:
    """A bearer token `<payload>.<HMAC-SHA256>`, both URL-safe base64, and when it ends."""
    expires_at = now + TOKEN_LIFE
    claims = {
        "kind": principal.kind,
        "subject": principal.subject,
        "role": principal.role,
        "issued": now.timestamp(),
        "expires": expires_at.timestamp(),
    }
    payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{payload}.{_signature(secret, payload)}", expires_at


def read(secret: bytes, token: str, now: datetime) -> Claims:
    """The claims of a token. Raises BadToken, whose text does not say why."""
    claims = _claims(secret, token)
    if claims.expires_at <= now:
        raise BadToken("the token has expired")
    return claims


@lru_cache(maxsize=10_000)
def _claims(secret: bytes, token: str) -> Claims:
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(errors="replace"), _signature(secret, payload).encode()):
        raise BadToken("not a token of ours")
    fields = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Claims(
        Principal(fields["kind"], fields["subject"], fields["role"]),
        datetime.fromtimestamp(fields["issued"], UTC),
        datetime.fromtimestamp(fields["expires"], UTC),
    )
