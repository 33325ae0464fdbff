"""Stamp cards: count to N, then a reward; what is over is carried on."""
