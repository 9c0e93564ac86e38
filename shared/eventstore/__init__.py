"""The event store: the log of one service, and the tables that are committed with it in the same database."""
