"""Money that came and fits no payment."""
