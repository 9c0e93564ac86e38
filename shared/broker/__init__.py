"""Everything that speaks to RabbitMQ outside the cluster host: log servers, publishers, clients."""
