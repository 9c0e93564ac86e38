"""Messages to people, and whether they were sent."""
