"""The sample programme: a coffee shop with three stores, its members' purchases of a year, and what is open today."""
