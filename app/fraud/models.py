"""Limits of what a person, a card and a till may do, and what was noticed."""
