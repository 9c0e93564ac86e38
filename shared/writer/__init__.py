"""The writer of one service: decides commands, appends events and updates projections, one group commit at a time."""
