"""What fulfillment decides."""
