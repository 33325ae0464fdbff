"""The catalogue of rewards, its stock and slots."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing yet."""
