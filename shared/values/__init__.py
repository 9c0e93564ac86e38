"""Values and their canonical forms: text identities, currencies, days, JSON that partners write. Pure."""
