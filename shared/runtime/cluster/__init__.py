"""The cluster host: runs a service's writer as a process, in a nameko container over RabbitMQ and PostgreSQL."""
