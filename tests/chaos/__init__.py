"""A real cluster under load, whose processes, servers and connections fail at random; then the laws are checked."""
