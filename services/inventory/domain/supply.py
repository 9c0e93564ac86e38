"""Compares texts that suppliers sent for orders with the keys in stock. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import DecisionContext, Event
from shared.contracts.inventory import CompareTexts, StockKey, TextsFound


@dataclass(frozen=True, slots=True)
class Supply:
    """The texts sent for one delivery. Decisions need no memory of them."""


def decide_supply(command: CompareTexts, state: Supply, given: DecisionContext) -> list[Event]:
    """Facts: the StockKeys that have these texts."""
    keys: tuple[StockKey, ...] = given.facts
    if not keys:
        return []
    return [TextsFound(delivery_id=command.delivery_id, supplier=command.supplier, given=command.given, keys=keys)]


def evolve_supply(state: Supply, event: Event) -> Supply:
    return state
