"""What is measured beside the platform: the same saga by other means."""
