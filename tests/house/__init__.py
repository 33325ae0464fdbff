"""The project keeps its own promises: sizes, guards, documentation, settings."""
