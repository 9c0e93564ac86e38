"""Tests of the library that subscribers install."""
