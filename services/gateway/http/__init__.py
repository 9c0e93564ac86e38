"""What all routes share, and the application that they make."""
