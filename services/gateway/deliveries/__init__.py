"""What each line of an order was delivered, and the deliveries that wait for a person."""
