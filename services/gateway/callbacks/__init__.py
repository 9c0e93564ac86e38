"""Signed callbacks of partners (payment channels and suppliers), and the callbacks that could not be read."""
