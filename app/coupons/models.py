"""Unique codes: made in batches, used once."""
