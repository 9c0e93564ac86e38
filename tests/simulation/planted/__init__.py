"""Bugs that are planted one at a time, each with the laws that must name it."""

from __future__ import annotations

from tests.simulation.planted import evidence, kernel, services
from tests.simulation.planted.registry import PLANTED, Planted

__all__ = ["PLANTED", "Planted", "evidence", "kernel", "services"]
