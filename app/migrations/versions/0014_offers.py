"""What offers give, when and to whom, what they may cost, and in whose hands they are."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("offer") as offer:
        offer.drop_constraint(op.f("ck_offer_state"), type_="check")
        offer.add_column(sa.Column("kind", sa.String(), server_default="text", nullable=False))
        offer.add_column(sa.Column("terms", sa.JSON(), server_default="{}", nullable=False))
        offer.add_column(sa.Column("windows", sa.JSON(), server_default="[]", nullable=False))
        offer.add_column(sa.Column("by_store", sa.Boolean(), server_default=sa.false(), nullable=False))
        offer.add_column(sa.Column("grace_min", sa.Integer(), server_default="0", nullable=False))
        offer.add_column(sa.Column("stores", sa.JSON(), server_default="[]", nullable=False))
        offer.add_column(sa.Column("tiers", sa.JSON(), server_default="[]", nullable=False))
        offer.add_column(sa.Column("audience", sa.String(), server_default="all", nullable=False))
        offer.add_column(sa.Column("segment_id", BIG, nullable=True))
        offer.add_column(sa.Column("needs_code", sa.Boolean(), server_default=sa.false(), nullable=False))
        offer.add_column(sa.Column("combines", sa.String(), server_default="best", nullable=False))
        offer.add_column(sa.Column("revision", sa.Integer(), server_default="1", nullable=False))
        offer.add_column(sa.Column("approved_by", sa.String(), server_default="", nullable=False))
        offer.add_column(sa.Column("paused_because", sa.String(), server_default="", nullable=False))
        offer.add_column(sa.Column("starts_local", sa.String(), server_default="", nullable=False))
        offer.add_column(sa.Column("withholds_at", sa.BigInteger(), nullable=True))
        offer.add_column(sa.Column("ends_local", sa.String(), server_default="", nullable=False))
        offer.create_check_constraint(
            op.f("ck_offer_state"),
            "state IN ('draft', 'approved', 'scheduled', 'live', 'paused', 'ended', 'cancelled', 'archived')",
        )
        offer.create_check_constraint(
            op.f("ck_offer_kind"), "kind IN ('text', 'percent', 'amount', 'product', 'multiplier', 'bonus', 'gift')"
        )
        offer.create_check_constraint(op.f("ck_offer_audience"), "audience IN ('all', 'segment', 'targeted')")
        offer.create_check_constraint(op.f("ck_offer_combines"), "combines IN ('best', 'all', 'alone')")
        offer.create_check_constraint(op.f("ck_offer_grace"), "grace_min BETWEEN 0 AND 15")
    with op.batch_alter_table("occurrence") as occurrence:
        occurrence.drop_constraint(op.f("ck_occurrence_kind"), type_="check")
        occurrence.create_check_constraint(
            op.f("ck_occurrence_kind"), "kind IN ('start', 'warn', 'pause', 'resume', 'end')"
        )
    json_of = "'[' || tier_id || ']'"
    op.execute(
        f"UPDATE offer SET tiers = {json_of} WHERE tier_id IS NOT NULL"
        if op.get_bind().dialect.name == "sqlite"
        else f"UPDATE offer SET tiers = ({json_of})::json WHERE tier_id IS NOT NULL"
    )
    op.create_table(
        "offer_budget",
        sa.Column("id", BIG, nullable=False),
        sa.Column("offer_id", BIG, nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("most", BIG, nullable=False),
        sa.CheckConstraint("measure IN ('uses', 'points', 'money')", name=op.f("ck_offer_budget_measure")),
        sa.CheckConstraint("period IN ('all', 'month', 'day', 'store_day')", name=op.f("ck_offer_budget_period")),
        sa.CheckConstraint("most > 0", name=op.f("ck_offer_budget_most")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_offer_budget_offer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offer_budget")),
        sa.UniqueConstraint("offer_id", "measure", "period", name=op.f("uq_offer_budget_offer_id_measure_period")),
    )
    op.create_table(
        "offer_budget_use",
        sa.Column("budget_id", BIG, nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("used", BIG, nullable=False),
        sa.Column("warned_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("used >= 0", name=op.f("ck_offer_budget_use_used")),
        sa.ForeignKeyConstraint(["budget_id"], ["offer_budget.id"], name=op.f("fk_offer_budget_use_budget_id")),
        sa.PrimaryKeyConstraint("budget_id", "period", name=op.f("pk_offer_budget_use")),
    )
    op.create_table(
        "offer_grant",
        sa.Column("card_id", BIG, autoincrement=False, nullable=False),
        sa.Column("offer_id", BIG, autoincrement=False, nullable=False),
        sa.Column("run_id", BIG, nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("withheld", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("card_id", "offer_id", name=op.f("pk_offer_grant")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_offer_grant_offer_id_card_id", "offer_grant", ["offer_id", "card_id"], unique=False)
    op.create_index(
        "ix_offer_grant_open",
        "offer_grant",
        ["ends_at"],
        unique=False,
        sqlite_where=sa.text("NOT closed"),
        postgresql_where=sa.text("NOT closed"),
    )
    op.add_column("redemption", sa.Column("sale_id", sa.String(), nullable=True))
    op.add_column("redemption", sa.Column("cost_minor", BIG, server_default="0", nullable=False))
    op.add_column("redemption", sa.Column("points", BIG, server_default="0", nullable=False))
    op.add_column("redemption", sa.Column("day", sa.String(), server_default="", nullable=False))
    op.create_index(op.f("ix_redemption_sale_id"), "redemption", ["sale_id"], unique=False)
    op.create_index(
        "ix_redemption_used",
        "redemption",
        ["card_id", "offer_id"],
        unique=False,
        sqlite_where=sa.text("reversed_at IS NULL"),
        postgresql_where=sa.text("reversed_at IS NULL"),
    )
    op.add_column("expansion", sa.Column("tiers", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("expansion", sa.Column("segment_id", BIG, nullable=True))
    op.add_column("expansion", sa.Column("granted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("google_object", sa.Column("messages", sa.JSON(), server_default="[]", nullable=False))
