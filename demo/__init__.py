"""The demo: a marketplace over real HTTP with real files, in which orders take every path."""
