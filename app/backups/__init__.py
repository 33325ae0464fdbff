"""Copies of the whole database: backup, restore, and the move from one kind of database to the other."""
