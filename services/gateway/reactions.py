"""The gateway has no reactions and no plans: it only folds read models."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts import Event, Planner, Reaction

REACTIONS: Mapping[type[Event], Reaction] = {}
PLANS: Mapping[type[Event], Planner] = {}
