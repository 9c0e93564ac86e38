"""Tables derived from events: kept up to date with the log, filled in bulk, rebuilt and compared."""
