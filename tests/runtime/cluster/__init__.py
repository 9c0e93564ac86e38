"""A service as a process of its own, on a real PostgreSQL and a real RabbitMQ."""
