"""The world that a simulated platform lives in: partners, people, and what came of them."""
