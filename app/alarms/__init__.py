"""What an operator must know now, each with how to mend it: as a list and as webhooks."""
