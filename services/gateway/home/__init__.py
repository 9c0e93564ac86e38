"""Two HTML pages: a list of links, and an order's page."""
