"""PostgreSQL and RabbitMQ for a cluster on one machine."""
