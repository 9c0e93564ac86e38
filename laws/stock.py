"""NoOversell and KeyOnce: a key is reserved for one line at a time, and delivered once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from shared.contracts.fulfillment import (
    KeysDelivered,
    PurchaseRequested,
    Supplied,
    SupplierDelivered,
    SupplierReportRefused,
    SupplierStatementRecorded,
    supplied_indexes,
)
from shared.contracts.inventory import (
    KeyFaulted,
    KeysLoaded,
    KeysSupplied,
    KeysWithdrawn,
    StockReleased,
    StockReserved,
    StockSettled,
)
from shared.laws.compact import Marks, Numbers
from shared.laws.law import Handlers, Law


@dataclass(slots=True)
class _Shelf:
    """One SKU: how many keys were loaded, the line that each is reserved for, and which are sold, faulted or
    withdrawn."""

    loaded: int = 0
    reserved: dict[int, str] = field(default_factory=dict)
    gone: Numbers = field(default_factory=Numbers)


class NoOversell(Law):
    """Reserved and sold keys never exceed the loaded ones: a key is reserved from stock for one line, and sold to
    it."""

    name = "NoOversell"

    def __init__(self) -> None:
        super().__init__()
        self._shelves: dict[str, _Shelf] = defaultdict(_Shelf)

    def handlers(self) -> Handlers:
        return {
            KeysLoaded: self._loaded,
            StockReserved: self._reserved,
            StockReleased: self._released,
            StockSettled: self._settled,
            KeyFaulted: self._faulted,
            KeysWithdrawn: self._withdrawn,
        }

    def _loaded(self, event: KeysLoaded) -> None:
        shelf = self._shelves[event.sku]
        if event.first != shelf.loaded + 1:
            self.broken(f"{event.sku} was loaded from {event.first} after {shelf.loaded}")
        shelf.loaded = event.first + len(event.keys) - 1
        self.checked += len(event.keys)

    def _reserved(self, event: StockReserved) -> None:
        shelf, line = self._shelves[event.sku], f"{event.order_id}/{event.line}"
        for key in event.keys:
            if not 0 < key.number <= shelf.loaded:
                self.broken(f"key {key.number} of {event.sku} was reserved for {line} and never loaded")
            elif key.number in shelf.gone:
                self.broken(f"key {key.number} of {event.sku} was reserved for {line} and is out of stock")
            elif holder := shelf.reserved.get(key.number):
                self.broken(f"key {key.number} of {event.sku} was reserved for {line} and is {holder}'s")
            else:
                shelf.reserved[key.number] = line

    def _released(self, event: StockReleased) -> None:
        for number in self._taken(event.sku, f"{event.order_id}/{event.line}", event.numbers):
            self.broken(f"key {number} of {event.sku} was released, and not reserved for {event.order_id}/{event.line}")

    def _settled(self, event: StockSettled) -> None:
        line, gone = f"{event.order_id}/{event.line}", self._shelves[event.sku].gone
        for number in self._taken(event.sku, line, event.numbers):
            self.broken(f"key {number} of {event.sku} was sold to {line} without its reservation")
        for number in event.numbers:
            gone.add(number)

    def _taken(self, sku: str, line: str, numbers: Iterable[int]) -> list[int]:
        """End the line's reservations. Gives the numbers that were not reserved for it."""
        reserved = self._shelves[sku].reserved
        strange = [number for number in numbers if reserved.get(number) != line]
        for number in numbers:
            if reserved.get(number) == line:
                del reserved[number]
        return strange

    def _faulted(self, event: KeyFaulted) -> None:
        """A key in doubt leaves its reservation and is never sold again; a sold key stays sold."""
        shelf = self._shelves[event.sku]
        holder = shelf.reserved.get(event.number, "")
        if holder.rpartition("/")[0] == event.order_id:
            del shelf.reserved[event.number]
            shelf.gone.add(event.number)
        elif event.number not in shelf.gone:
            self.broken(f"key {event.number} of {event.sku} was faulted and never was {event.order_id}'s")

    def _withdrawn(self, event: KeysWithdrawn) -> None:
        shelf = self._shelves[event.sku]
        for number in event.numbers:
            if number in shelf.reserved or not shelf.gone.add(number):
                self.broken(f"key {number} of {event.sku} was withdrawn and was not for sale")


class KeyOnce(Law):
    """A key is in stock once and delivered at most once, to the order that stock has parted with it for; a line gets
    its keys at most once. Of texts, a supplier delivers as many as were asked for, and none that one delivered before,
    or that is a key of ours which is delivered. Stock says which of its keys suppliers sent.
    """

    name = "KeyOnce"

    def __init__(self) -> None:
        super().__init__()
        self._loaded_before, self._lines = Marks(), Marks()
        self._wanted, self._supplied_before, self._sent = Marks(), Marks(), Marks()
        self._skus: dict[str, int] = {}
        self._given_otherwise: set[tuple[str, int]] = set()
        self._untold: set[tuple[str, int]] = set()
        self._reported: set[tuple[str, int]] = set()
        self._delivered_before: dict[str, Numbers] = defaultdict(Numbers)
        self._parted_before: dict[str, Numbers] = defaultdict(Numbers)
        self._delivered_to: dict[tuple[str, int], str] = {}
        self._parted_for: dict[tuple[str, int], str] = {}

    def handlers(self) -> Handlers:
        return {
            KeysLoaded: self._loaded,
            StockSettled: lambda event: self._parted(event.sku, event.numbers, event.order_id),
            KeyFaulted: lambda event: self._parted(event.sku, (event.number,), event.order_id),
            KeysDelivered: self._delivered,
            PurchaseRequested: self._asked,
            SupplierDelivered: self._supplied,
            SupplierStatementRecorded: self._kept,
            SupplierReportRefused: self._kept,
            KeysSupplied: self._known,
        }

    def unfinished(self) -> Iterator[str]:
        for (sku, number), order_id in self._delivered_to.items():
            yield f"key {number} of {sku} was delivered for {order_id} and is still in stock"
        for sku, number in self._untold:
            yield f"a supplier sent the text of key {number} of {sku}, and stock does not say so"

    def _loaded(self, event: KeysLoaded) -> None:
        sku = self._skus.setdefault(event.sku, len(self._skus))
        for number, key in enumerate(event.keys, event.first):
            if not self._loaded_before.add(key.index, sku << 32 | number):
                self.broken(f"key {number} of {event.sku} was in stock already")
                continue
            self._met(key.index, event.sku, number)

    def _met(self, index: str, sku: str, number: int) -> None:
        """Note a key of the stock whose text suppliers may have sent."""
        if index in self._sent and (sku, number) not in self._reported:
            self._untold.add((sku, number))
        if index in self._supplied_before:
            self._given_otherwise.add((sku, number))
            if number in self._delivered_before[sku]:
                self.broken(f"key {number} of {sku} was delivered, and its text as a supplier's")

    def _known(self, event: KeysSupplied) -> None:
        for key in ((event.sku, number) for number in event.numbers):
            self._reported.add(key)
            self._untold.discard(key)

    def _delivered(self, event: KeysDelivered) -> None:
        if not self._lines.add(event.delivery_id):
            self.broken(f"{event.delivery_id} was delivered twice")
        delivered = self._delivered_before[event.sku]
        for number in event.numbers:
            if not delivered.add(number):
                self.broken(f"key {number} of {event.sku} went to {event.delivery_id} and was delivered before")
            elif (event.sku, number) in self._given_otherwise:
                self.broken(f"key {number} of {event.sku} went to {event.delivery_id}, and its text as a supplier's")
            elif (owner := self._parted_for.pop((event.sku, number), None)) is None:
                self._delivered_to[event.sku, number] = event.order_id
            else:
                self._compare(event.sku, number, owner, event.order_id)
        self.checked += len(event.numbers)

    def _asked(self, event: PurchaseRequested) -> None:
        self._wanted.add(event.delivery_id, event.quantity)

    def _supplied(self, event: SupplierDelivered) -> None:
        came, wanted = len(event.indexes), self._wanted.get(event.delivery_id)
        if came and wanted is not None and came != wanted:
            self.broken(f"{event.delivery_id} got {came} texts from {event.supplier}, and {wanted} were asked for")
        for place, index in enumerate(event.indexes, 1):
            if not index:
                self.broken(f"text {place} from {event.supplier} went to {event.delivery_id} and can be no key")
            elif not self._supplied_before.add(index):
                self.broken(f"text {place} from {event.supplier} went to {event.delivery_id} and was delivered before")
        self.checked += came
        self._kept(event)

    def _kept(self, event: Supplied) -> None:
        if not (indexes := supplied_indexes(event)):
            return
        names = list(self._skus)
        for index in indexes:
            self._sent.add(index)
            if (place := self._loaded_before.get(index)) is not None:
                sku, number = divmod(place, 1 << 32)
                self._met(index, names[sku], number)

    def _parted(self, sku: str, numbers: Iterable[int], order_id: str) -> None:
        """Stock has sold keys or, for a key in doubt, given it up; a key that people handed out is not delivered."""
        parted = self._parted_before[sku]
        for number in numbers:
            if not parted.add(number):
                continue
            if (buyer := self._delivered_to.pop((sku, number), None)) is None:
                self._parted_for[sku, number] = order_id
            else:
                self._compare(sku, number, order_id, buyer)

    def _compare(self, sku: str, number: int, owner: str, buyer: str) -> None:
        if owner != buyer:
            self.broken(f"key {number} of {sku} is {owner}'s and was delivered for {buyer}")
