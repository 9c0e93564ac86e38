"""The files that repeat for each service, made from the list of services: `make generate`."""
