"""Staff at a till: short codes to switch between them, and a manager's word for one action."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "staff_pin",
        sa.Column("staff_id", BIG, autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_pin_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_staff_pin")),
    )
    op.create_index(op.f("ix_staff_pin_digest"), "staff_pin", ["digest"])
    op.create_table(
        "till_approval",
        sa.Column("cashier_id", BIG, autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["cashier_id"], ["staff.id"], name=op.f("fk_till_approval_cashier_id")),
        sa.PrimaryKeyConstraint("cashier_id", "key", name=op.f("pk_till_approval")),
    )
    op.create_index(op.f("ix_till_approval_entry_id"), "till_approval", ["entry_id"])
