"""Runs services that declare themselves and import no framework."""
