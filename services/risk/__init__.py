"""Screens every order against velocity rules and lists, and keeps the cases that people decide."""
