"""Risk cases, and the block, watch and allow lists."""
