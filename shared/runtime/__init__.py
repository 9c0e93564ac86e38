"""Runs declared services on three hosts: embedded, cluster, simulated."""
