"""Where a member stands among the tiers, and until when."""
