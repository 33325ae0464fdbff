"""Staff at a till: short codes to switch between them."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Nothing yet."""
