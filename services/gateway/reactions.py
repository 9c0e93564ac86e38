"""The gateway answers no event with a command: it only reads."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts import Event, Planner, Reaction

REACTIONS: Mapping[type[Event], Reaction] = {}
PLANS: Mapping[type[Event], Planner] = {}
