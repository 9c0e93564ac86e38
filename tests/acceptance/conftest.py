"""Fixtures of the tests that want a whole cluster."""

from tests.acceptance.cluster_market import cluster

__all__ = ["cluster"]
