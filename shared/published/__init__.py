"""Generates documents from the code: the events' schemas, examples, AsyncAPI and catalogue, and the kernel's page."""
