"""The messages between services (commands, replies, batches of events), their wire format and their queues."""
