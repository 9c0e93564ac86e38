"""A service as a process of its own: a nameko container over RabbitMQ and PostgreSQL."""
