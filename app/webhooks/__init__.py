"""Outgoing webhooks: what other systems are told, signed, and sent again until they take it."""
