"""How fast it is, beside its peers and the machine's floor: `python -m tests.bench --help`."""
