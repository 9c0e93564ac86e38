"""Bulk import of products and card keys from spreadsheets."""
