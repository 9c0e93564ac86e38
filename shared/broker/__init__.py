"""The processes and clients that use RabbitMQ outside the cluster host: log server, publisher, client."""
