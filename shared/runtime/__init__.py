"""Declares services and runs them on three hosts: embedded, cluster, simulated."""
