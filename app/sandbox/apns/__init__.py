"""The APNs stand-in."""
