"""Tests of the command line's operations."""
