"""Changes for many cards: how far each has come, how long it still takes, and the way to stop it."""
