"""Gift cards, stored value and cards without a person."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Nothing yet."""
