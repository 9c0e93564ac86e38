"""What all routes share, and the application that they form."""
