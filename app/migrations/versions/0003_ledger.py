"""The ledger for every kind of programme: lots, holds, lines, partial reversals, and a chain over each card's entries."""

from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.ledger import chain
from app.migrations import triggers

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS = (
    "kind IN ('earn', 'activate', 'spend', 'offer', 'hold', 'capture', 'release', 'expire', 'reverse', 'adjust', "
    "'merge', 'writeoff', 'load', 'pay', 'refund')"
)
RECEIPTS = "kind = 'earn' AND receipt IS NOT NULL AND part_of_id IS NULL"
CARDS_AT_ONCE = 1_000


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    _run(triggers.LEDGER_OFF[dialect])
    _accounts_and_cards()
    _entries()
    _new_tables()
    _chain_what_is_there()
    _lots_of_what_is_there()
    op.create_index("uq_entry_reversal", "entry", ["reverses_id", "reversal_no"], unique=True)
    op.create_index("uq_entry_seq", "entry", ["card_id", "seq"], unique=True)
    _run(triggers.LEDGER[dialect])
    if dialect == "sqlite" and (lost := op.get_bind().exec_driver_sql("PRAGMA foreign_key_check").first()):
        raise AssertionError(f"a row of {lost[0]} points at nothing; nothing was changed")


def _run(statements: list[str]) -> None:
    for statement in statements:
        op.execute(sa.text(statement.replace(":", r"\:")))


def _accounts_and_cards() -> None:
    op.add_column("account", sa.Column("carry", sa.String(), server_default="0", nullable=False))
    op.add_column("account", sa.Column("closed", sa.Boolean(), server_default=sa.false(), nullable=False))
    kinds = sa.CheckConstraint("kind IN ('loyalty', 'bearer', 'gift')", name=op.f("ck_card_kind"))
    if op.get_bind().dialect.name == "sqlite":
        # a constraint is added with its column: the table need not be written anew
        op.execute(f"ALTER TABLE card ADD COLUMN kind VARCHAR DEFAULT 'loyalty' NOT NULL CHECK ({kinds.sqltext})")
    else:
        op.add_column("card", sa.Column("kind", sa.String(), server_default="loyalty", nullable=False))
        op.create_check_constraint(op.f("ck_card_kind"), "card", kinds.sqltext)
    op.add_column("card", sa.Column("seq", BIG, server_default="0", nullable=False))
    op.add_column("card", sa.Column("hash", sa.String(), server_default="", nullable=False))


def _entries() -> None:
    op.drop_index("uq_entry_receipt", "entry")
    with op.batch_alter_table("entry") as entry:
        entry.drop_constraint(op.f("ck_entry_kind"), type_="check")
        entry.drop_constraint(op.f("uq_entry_reverses_id"), type_="unique")
        entry.add_column(sa.Column("reversal_no", sa.Integer(), nullable=True))
        entry.add_column(sa.Column("part_of_id", sa.String(), nullable=True))
        entry.add_column(sa.Column("rule_version_id", BIG, nullable=True))
        entry.add_column(sa.Column("carry_before", sa.String(), nullable=True))
        entry.add_column(sa.Column("carry_after", sa.String(), nullable=True))
        entry.add_column(sa.Column("seq", BIG, server_default="0", nullable=False))
        entry.add_column(sa.Column("hash", sa.String(), server_default="", nullable=False))
        entry.create_check_constraint(op.f("ck_entry_kind"), KINDS)
        entry.create_foreign_key(op.f("fk_entry_part_of_id"), "entry", ["part_of_id"], ["id"])
    op.create_index(op.f("ix_entry_part_of_id"), "entry", ["part_of_id"], unique=False)
    op.create_index(
        "uq_entry_receipt",
        "entry",
        ["programme_id", sa.text("coalesce(store_id, 0)"), "receipt"],
        unique=True,
        sqlite_where=sa.text(RECEIPTS),
        postgresql_where=sa.text(RECEIPTS),
    )
    op.execute("UPDATE entry SET reversal_no = 1 WHERE reverses_id IS NOT NULL")


def _chain_what_is_there() -> None:
    """Number each card's entries and link them, as `ledger.booking` does for new ones."""
    bind = op.get_bind()
    entry = sa.table("entry", *map(sa.column, (*chain.FACTS, "hash")))
    entry.c.reasons.type = sa.JSON()
    posting = sa.table("posting", *map(sa.column, ("entry_id", "account_id", "amount")))
    card = sa.table("card", *map(sa.column, ("id", "seq", "hash")))
    first = -1
    while cards := list(bind.scalars(_next_cards(entry, first))):
        span = entry.c.card_id.between(cards[0], cards[-1])
        moved = sa.select(posting.c.entry_id, posting.c.account_id, posting.c.amount)
        postings = bind.execute(
            moved.join(entry, entry.c.id == posting.c.entry_id).where(span).order_by(posting.c.entry_id)
        ).all()
        of = {one: [(account, amount) for _entry, account, amount in rows] for one, rows in groupby(postings, itemgetter(0))}
        rows = bind.execute(sa.select(entry).where(span).order_by(entry.c.card_id, entry.c.recorded_at, entry.c.id)).all()
        links, heads = _linked(rows, of)
        changed: dict[str, Any] = {"seq": sa.bindparam("new_seq"), "hash": sa.bindparam("new_hash")}
        bind.execute(sa.update(entry).where(entry.c.id == sa.bindparam("one")).values(**changed), links)
        bind.execute(sa.update(card).where(card.c.id == sa.bindparam("one")).values(**changed), heads)
        first = cards[-1]


def _next_cards(entry: sa.TableClause, after: int) -> sa.Select[Any]:
    found = sa.select(entry.c.card_id).where(entry.c.card_id > after).distinct()
    return found.order_by(entry.c.card_id).limit(CARDS_AT_ONCE)


def _linked(rows: Any, postings: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    links: list[dict[str, Any]] = []
    heads: dict[int, tuple[int, str]] = {}
    for row in rows:
        seq, before = heads.get(row.card_id, (0, chain.GENESIS))
        facts = {**row._mapping, "seq": seq + 1}
        digest = chain.digest(before, facts, postings[row.id])
        links.append({"one": row.id, "new_seq": seq + 1, "new_hash": digest})
        heads[row.card_id] = (seq + 1, digest)
    return links, [{"one": card, "new_seq": seq, "new_hash": digest} for card, (seq, digest) in heads.items()]


def _lots_of_what_is_there() -> None:
    """What members have becomes one lot of their last entry's, which never expires."""
    op.execute(
        "INSERT INTO lot (entry_id, account_id, original, remaining, earned_at) "
        "SELECT e.id, a.id, a.balance, a.balance, e.recorded_at FROM account a "
        "JOIN card c ON c.member_id = a.member_id JOIN entry e ON e.card_id = c.id AND e.seq = c.seq "
        "WHERE a.role = 'avail' AND a.balance > 0"
    )


def _new_tables() -> None:
    op.create_table('seal',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('last_entry_id', sa.String(), nullable=False),
    sa.Column('entries', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('hash', sa.String(), nullable=False),
    sa.Column('made_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seal')),
    sa.UniqueConstraint('last_entry_id', name=op.f('uq_seal_last_entry_id'))
    )
    op.create_table('entry_line',
    sa.Column('entry_id', sa.String(), nullable=False),
    sa.Column('line_no', sa.Integer(), nullable=False),
    sa.Column('product', sa.String(), nullable=False),
    sa.Column('category', sa.String(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('points', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.CheckConstraint('quantity > 0 AND amount_minor >= 0', name=op.f('ck_entry_line_numbers')),
    sa.ForeignKeyConstraint(['entry_id'], ['entry.id'], name=op.f('fk_entry_line_entry_id'), initially='DEFERRED', deferrable=True),
    sa.PrimaryKeyConstraint('entry_id', 'line_no', name=op.f('pk_entry_line'))
    )
    op.create_table('hold',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('card_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('unit', sa.String(), nullable=False),
    sa.Column('amount', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('captured', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('about', sa.String(), nullable=False),
    sa.Column('receipt', sa.String(), nullable=True),
    sa.Column('store_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('entry_id', sa.String(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f('ck_hold_ended')),
    sa.CheckConstraint("state IN ('open', 'captured', 'voided', 'expired')", name=op.f('ck_hold_state')),
    sa.CheckConstraint('amount > 0 AND captured >= 0 AND captured <= amount', name=op.f('ck_hold_captured')),
    sa.ForeignKeyConstraint(['card_id'], ['card.id'], name=op.f('fk_hold_card_id')),
    sa.ForeignKeyConstraint(['entry_id'], ['entry.id'], name=op.f('fk_hold_entry_id')),
    sa.ForeignKeyConstraint(['store_id'], ['store.id'], name=op.f('fk_hold_store_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hold')),
    sa.UniqueConstraint('entry_id', name=op.f('uq_hold_entry_id'))
    )
    op.create_index(op.f('ix_hold_card_id'), 'hold', ['card_id'], unique=False)
    op.create_index('ix_hold_open', 'hold', ['expires_at'], unique=False, sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
    op.create_table('lot',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('entry_id', sa.String(), nullable=False),
    sa.Column('account_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('remaining', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('earned_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('renews_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.CheckConstraint('expires_at IS NULL OR expires_at > earned_at', name=op.f('ck_lot_expires_after_earning')),
    sa.CheckConstraint('original > 0 AND remaining >= 0 AND remaining <= original', name=op.f('ck_lot_numbers')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_lot_account_id')),
    sa.ForeignKeyConstraint(['entry_id'], ['entry.id'], name=op.f('fk_lot_entry_id'), initially='DEFERRED', deferrable=True),
    sa.ForeignKeyConstraint(['renews_id'], ['lot.id'], name=op.f('fk_lot_renews_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lot'))
    )
    op.create_index(op.f('ix_lot_entry_id'), 'lot', ['entry_id'], unique=False)
    op.create_index('ix_lot_expiring', 'lot', ['expires_at'], unique=False, sqlite_where=sa.text('remaining > 0 AND expires_at IS NOT NULL'), postgresql_where=sa.text('remaining > 0 AND expires_at IS NOT NULL'))
    op.create_index('ix_lot_open', 'lot', ['account_id', 'expires_at', 'earned_at'], unique=False, sqlite_where=sa.text('remaining > 0'), postgresql_where=sa.text('remaining > 0'))
    op.create_index(op.f('ix_lot_renews_id'), 'lot', ['renews_id'], unique=False)
    op.create_table('pending',
    sa.Column('entry_id', sa.String(), nullable=False),
    sa.Column('card_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('unit', sa.String(), nullable=False),
    sa.Column('units', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('due_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("state IN ('waiting', 'active', 'reversed')", name=op.f('ck_pending_state')),
    sa.CheckConstraint('units >= 0', name=op.f('ck_pending_units')),
    sa.ForeignKeyConstraint(['card_id'], ['card.id'], name=op.f('fk_pending_card_id')),
    sa.ForeignKeyConstraint(['entry_id'], ['entry.id'], name=op.f('fk_pending_entry_id')),
    sa.PrimaryKeyConstraint('entry_id', name=op.f('pk_pending'))
    )
    op.create_index(op.f('ix_pending_card_id'), 'pending', ['card_id'], unique=False)
    op.create_index('ix_pending_waiting', 'pending', ['due_at'], unique=False, sqlite_where=sa.text("state = 'waiting'"), postgresql_where=sa.text("state = 'waiting'"))
    op.create_table('lot_use',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('entry_id', sa.String(), nullable=False),
    sa.Column('lot_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('amount', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.CheckConstraint('amount <> 0', name=op.f('ck_lot_use_not_zero')),
    sa.ForeignKeyConstraint(['entry_id'], ['entry.id'], name=op.f('fk_lot_use_entry_id'), initially='DEFERRED', deferrable=True),
    sa.ForeignKeyConstraint(['lot_id'], ['lot.id'], name=op.f('fk_lot_use_lot_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lot_use'))
    )
    op.create_index(op.f('ix_lot_use_entry_id'), 'lot_use', ['entry_id'], unique=False)
    op.create_index(op.f('ix_lot_use_lot_id'), 'lot_use', ['lot_id'], unique=False)
