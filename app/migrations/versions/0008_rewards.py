"""The catalogue of rewards: kinds, prices, limits, stock and slots; who took what, and what members save for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("settled_at IS NULL")


def upgrade() -> None:
    """What could be bought so far are products for points."""
    _rewards()
    _slots()
    _takings()
    op.create_table(
        "reward_day",
        sa.Column("reward_id", BIG, nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("used", BIG, nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_reward_day_used")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.id"], name=op.f("fk_reward_day_reward_id")),
        sa.PrimaryKeyConstraint("reward_id", "day", name=op.f("pk_reward_day")),
    )
    op.create_table(
        "reward_goal",
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("reward_id", BIG, nullable=False),
        sa.Column("chosen_at", sa.BigInteger(), nullable=False),
        sa.Column("chosen_by", sa.String(), nullable=False),
        sa.Column("keeps_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_reward_goal_card_id")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.id"], name=op.f("fk_reward_goal_reward_id")),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_reward_goal")),
    )
    op.create_index(op.f("ix_reward_goal_reward_id"), "reward_goal", ["reward_id"], unique=False)


def _rewards() -> None:
    with op.batch_alter_table("reward") as reward:
        reward.drop_constraint(op.f("ck_reward_points"), type_="check")
        for column in (
            sa.Column("kind", sa.String(), server_default="product", nullable=False),
            sa.Column("unit", sa.String(), server_default="points", nullable=False),
            sa.Column("flexible", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("value_minor", BIG, nullable=True),
            sa.Column("max_share", sa.Integer(), nullable=True),
            sa.Column("min_spend_minor", BIG, nullable=True),
            sa.Column("about", sa.String(), server_default="", nullable=False),
            sa.Column("about_texts", sa.JSON(), server_default="{}", nullable=False),
            sa.Column("needs_pieces", sa.Integer(), nullable=True),
            sa.Column("needs_product", sa.String(), server_default="", nullable=False),
            sa.Column("pick_up", sa.Boolean(), server_default=sa.false(), nullable=False),
            sa.Column("limit_per_member", sa.Integer(), nullable=True),
            sa.Column("limit_per_member_day", sa.Integer(), nullable=True),
            sa.Column("limit_total", BIG, nullable=True),
            sa.Column("limit_per_day", BIG, nullable=True),
            sa.Column("used", BIG, server_default="0", nullable=False),
            sa.Column("stock", BIG, nullable=True),
            sa.Column("starts_at", sa.BigInteger(), nullable=True),
            sa.Column("ends_at", sa.BigInteger(), nullable=True),
            sa.Column("stores", sa.JSON(), server_default="[]", nullable=False),
            sa.Column("tiers", sa.JSON(), server_default="[]", nullable=False),
            sa.Column("listed", sa.Boolean(), server_default=sa.true(), nullable=False),
            sa.Column("no_show", sa.String(), server_default="keep", nullable=False),
            sa.Column("cancel_before_h", sa.Integer(), server_default="0", nullable=False),
            sa.Column("goal_days", sa.Integer(), nullable=True),
        ):
            reward.add_column(column)
        for name, rule in (
            ("points", "points >= 0 AND (points = 0) = (unit = '')"),
            ("kind", "kind IN ('discount', 'product', 'gift', 'experience', 'donation')"),
            ("counts", "used >= 0 AND (stock IS NULL OR stock >= 0)"),
            ("no_show", "no_show IN ('keep', 'give_back')"),
            ("window", "starts_at IS NULL OR ends_at IS NULL OR ends_at > starts_at"),
        ):
            reward.create_check_constraint(op.f(f"ck_reward_{name}"), rule)
    # what was bought before is counted, so that a limit that is set later holds from the first use on
    op.execute("UPDATE reward SET listed = active")
    op.execute(
        "UPDATE reward SET used = (SELECT count(*) FROM entry WHERE kind = 'spend' AND note = 'reward:' || reward.public_id)"
    )


def _slots() -> None:
    op.create_table(
        "reward_slot",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("reward_id", BIG, nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("capacity > 0 AND taken >= 0 AND taken <= capacity", name=op.f("ck_reward_slot_places")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_reward_slot_window")),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.id"], name=op.f("fk_reward_slot_reward_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_slot")),
        sa.UniqueConstraint("public_id", name=op.f("uq_reward_slot_public_id")),
    )
    op.create_index(op.f("ix_reward_slot_reward_id"), "reward_slot", ["reward_id"], unique=False)
    op.create_index("ix_reward_slot_open", "reward_slot", ["ends_at"], sqlite_where=OPEN, postgresql_where=OPEN)


def _takings() -> None:
    op.create_table(
        "reward_taking",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("reward_id", BIG, nullable=False),
        sa.Column("card_id", BIG, nullable=False),
        sa.Column("use_no", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("units", BIG, nullable=False),
        sa.Column("value_minor", BIG, nullable=True),
        sa.Column("basket_minor", BIG, nullable=True),
        sa.Column("slot_id", BIG, nullable=True),
        sa.Column("hold_id", sa.String(), nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.Column("store_id", BIG, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("collected_at", sa.BigInteger(), nullable=True),
        sa.Column("collected_store_id", BIG, nullable=True),
        sa.CheckConstraint(
            "state IN ('held', 'taken', 'waiting', 'ended', 'returned')", name=op.f("ck_reward_taking_state")
        ),
        sa.ForeignKeyConstraint(["reward_id"], ["reward.id"], name=op.f("fk_reward_taking_reward_id")),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name=op.f("fk_reward_taking_card_id")),
        sa.ForeignKeyConstraint(["slot_id"], ["reward_slot.id"], name=op.f("fk_reward_taking_slot_id")),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_reward_taking_hold_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_reward_taking_entry_id")),
        sa.ForeignKeyConstraint(["store_id"], ["store.id"], name=op.f("fk_reward_taking_store_id")),
        sa.ForeignKeyConstraint(["collected_store_id"], ["store.id"], name=op.f("fk_reward_taking_collected_store_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reward_taking")),
        sa.UniqueConstraint("public_id", name=op.f("uq_reward_taking_public_id")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_reward_taking_hold_id")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_reward_taking_entry_id")),
        sa.UniqueConstraint("card_id", "reward_id", "use_no", name=op.f("uq_reward_taking_card_id_reward_id_use_no")),
    )
    op.create_index("ix_reward_taking_reward_id_day", "reward_taking", ["reward_id", "day"], unique=False)
    op.create_index("ix_reward_taking_slot_id_state", "reward_taking", ["slot_id", "state"], unique=False)
