"""Texts that suppliers sent for orders, compared with the keys of our stock. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import DecisionContext, Event
from shared.contracts.inventory import CompareTexts, StockKey, TextsFound


@dataclass(frozen=True, slots=True)
class Supply:
    """What was sent for one delivery; nothing of it has to be remembered here."""


def decide(command: CompareTexts, state: Supply, given: DecisionContext) -> list[Event]:
    """The facts are the StockKeys that have these texts."""
    keys: tuple[StockKey, ...] = given.facts
    if not keys:
        return []
    return [TextsFound(delivery_id=command.delivery_id, supplier=command.supplier, given=command.given, keys=keys)]


def evolve(state: Supply, event: Event) -> Supply:
    return state
