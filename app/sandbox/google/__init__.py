"""The Google Wallet stand-in."""
