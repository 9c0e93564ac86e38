"""How services talk: slices of logs, commands and replies, behind one small port."""
