"""The log of one service, and what lives in the same database and commits with it."""
