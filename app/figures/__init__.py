"""Figures for /metrics that live in the database: whoever is asked is not always who did the work."""
