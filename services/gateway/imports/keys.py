"""Turns a row into a card key, and a chunk of keys into the command that loads them, sealed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from services.gateway.imports.cells import RowError, canonical, code, currency, day, money, secret
from services.gateway.imports.columns import Columns
from services.gateway.imports.model import SheetRow, Value
from services.gateway.imports.products import DEFAULT_CURRENCY, refuse_faults
from shared.contracts import Money
from shared.contracts.inventory import LoadKeys, SealedKey
from shared.security.sealing import Sealer, blind_index
from shared.values import identities

CHUNK_KEYS = 1_000
MAX_BUFFERED = 20_000

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#@+-]{0,79}")


@dataclass(frozen=True, slots=True)
class Lot:
    """What the keys of one command have in common. `batch` is None if the sheet names none."""

    sku: str
    batch: str | None = None
    supplier: str | None = None
    cost: Money | None = None
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A key in the clear. It exists from parsing to sealing, and never shows in a repr.

    `as_written` is the index of the cell's text, if that is not the canonical text.
    """

    row: int
    lot: Lot
    plain: str = field(repr=False)
    index: str
    as_written: str | None = None


@dataclass(frozen=True)
class KeySealing:
    """Seals keys with fulfillment's public key, and makes the keyed hashes that find equal keys."""

    public: str
    index_key: bytes = field(repr=False)
    random_bytes: Callable[[int], bytes] = field(repr=False)

    def index(self, plain: str) -> str:
        return blind_index(self.index_key, plain)

    def seal(self, chunk: Sequence[ParsedKey]) -> tuple[SealedKey, ...]:
        """Seal a chunk's keys, each for its SKU, under one ephemeral key. It is slow: call it in a thread."""
        sealer = Sealer(self.public, self.random_bytes)
        return tuple(SealedKey(index=key.index, box=sealer.seal(key.plain, key.lot.sku)) for key in chunk)


def parse_key(row: SheetRow, columns: Columns, index: Callable[[str], str]) -> ParsedKey:
    """The key of a row. Raises RowError with the field at fault, and without the key."""
    refuse_faults(row, columns)
    cells = columns.of(row)
    for required in ("sku", "key"):
        if required not in cells:
            raise RowError(required, "is missing")
    unit = currency("currency", cells["currency"]) if "currency" in cells else DEFAULT_CURRENCY
    lot = Lot(
        sku=_id("sku", cells["sku"]),
        batch=_id("batch", cells["batch"]) if "batch" in cells else None,
        supplier=_id("supplier", cells["supplier"]) if "supplier" in cells else None,
        cost=money("cost", cells["cost"], unit) if "cost" in cells else None,
        expires=day("expires", cells["expires"]) if "expires" in cells else None,
    )
    written = secret("key", cells["key"])
    plain = canonical("key", identities.card_key, written)
    return ParsedKey(row.number, lot, plain, index(plain), index(written) if written != plain else None)


def _id(name: str, value: Value) -> str:
    written = code(name, value)
    if not _ID.fullmatch(written):
        raise RowError(name, "expected up to 80 letters, digits and . _ : / # @ + -, beginning with a letter or digit")
    return written


def load_keys(chunk: Sequence[ParsedKey], sealing: KeySealing, batch_id: str, dry_run: bool) -> LoadKeys:
    """The command for a chunk of one lot. `batch_id` is used if the sheet names no batch."""
    lot = chunk[0].lot
    return LoadKeys(
        sku=lot.sku,
        batch_id=lot.batch or batch_id,
        keys=sealing.seal(chunk),
        as_written=tuple(key.as_written or "" for key in chunk) if any(key.as_written for key in chunk) else (),
        supplier=lot.supplier,
        cost=lot.cost,
        expires_on=lot.expires,
        dry_run=dry_run,
    )


class Lots:
    """Gathers keys, which come in any order, into chunks of one lot. It buffers at most `limit` keys."""

    def __init__(self, chunk: int = CHUNK_KEYS, limit: int = MAX_BUFFERED) -> None:
        self._chunk, self._limit = chunk, limit
        self._lots: dict[Lot, list[ParsedKey]] = {}
        self.buffered = 0

    def add(self, key: ParsedKey) -> Iterator[list[ParsedKey]]:
        """Add a key. Yields the chunks that are full then."""
        lot = self._lots.setdefault(key.lot, [])
        lot.append(key)
        self.buffered += 1
        if len(lot) >= self._chunk:
            del self._lots[key.lot]
            self.buffered -= len(lot)
            yield lot
        elif self.buffered >= self._limit:
            yield from self.rest()

    def rest(self) -> Iterator[list[ParsedKey]]:
        """The buffered keys, one chunk for each lot."""
        while self._lots:
            _, lot = self._lots.popitem()
            self.buffered -= len(lot)
            yield lot
