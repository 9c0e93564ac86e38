"""The pure part of risk: rules, velocity, screenings and lists."""
