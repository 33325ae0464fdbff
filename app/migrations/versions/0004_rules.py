"""Versions of the rules of earning, the caps that all members share, and what was ever spent with a card."""

import json

import sqlalchemy as sa
from alembic import op

from app import money

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Each programme's rate becomes the first version of its rules."""
    op.add_column("programme", sa.Column("rules_number", sa.Integer(), server_default="1", nullable=False))
    op.add_column("card", sa.Column("spent_minor", BIG, server_default="0", nullable=False))
    op.execute("UPDATE card SET spent_minor = qualifying_minor")
    op.create_table(
        "rule_version",
        sa.Column("id", BIG, nullable=False),
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_rule_version_programme_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_version")),
        sa.UniqueConstraint("programme_id", "number", name=op.f("uq_rule_version_programme_id_number")),
    )
    op.create_table(
        "rule_budget",
        sa.Column("programme_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("used", BIG, nullable=False),
        sa.CheckConstraint("used >= 0", name=op.f("ck_rule_budget_used")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_rule_budget_programme_id")),
        sa.PrimaryKeyConstraint("programme_id", "name", name=op.f("pk_rule_budget")),
    )
    op.create_table(
        "rule_budget_use",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("points", BIG, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_rule_budget_use_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", "name", name=op.f("pk_rule_budget_use")),
    )
    _first_versions()


def _first_versions() -> None:
    bind = op.get_bind()
    columns = "id, currency, earn_points, earn_per_minor, created_at"
    for row in bind.execute(sa.text(f"SELECT {columns} FROM programme")).all():  # noqa: S608  # names alone
        per = money.decimal_text(row.earn_per_minor, row.currency)
        rules = {"rules": [{"kind": "amount", "name": "Purchases", "points": row.earn_points, "per": per}]}
        bind.execute(
            sa.text(
                "INSERT INTO rule_version (programme_id, number, starts_at, rules, note, created_by, created_at) "
                "VALUES (:programme, 1, :at, :rules, '', 'migration', :at)"
            ),
            {"programme": row.id, "at": row.created_at, "rules": json.dumps(rules)},
        )
