"""Generates the dashboards and the page of metrics, and checks them with the alerts and runbooks."""
