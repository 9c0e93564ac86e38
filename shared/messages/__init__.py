"""What services send each other: commands, replies, batches of events; their form on the wire."""
