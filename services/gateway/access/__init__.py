"""Who may come in and what they may do: customers, staff, signing in, and slowing down who guesses."""
