"""What people watch: dashboards, alerts, and the Prometheus that feeds them."""
