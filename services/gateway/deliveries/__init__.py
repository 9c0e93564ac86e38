"""The deliveries of order lines, and the deliveries that wait for a person."""
