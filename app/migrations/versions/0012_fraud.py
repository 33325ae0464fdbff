"""Limits, what was noticed, and corrections that wait for a second person."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Nothing yet."""
