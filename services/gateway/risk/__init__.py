"""Cases that wait for a person, and the lists."""
