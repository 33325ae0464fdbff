"""A million members in well under a minute: cards with phones that hold them, by bulk SQL alone.

Everything that a look-up meets is as random as in life (numbers, serials, links, tokens), because sequential keys would
flatter every index. Personal data is sealed once and shared by all. Nobody has moved a point yet.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.cards import codes, people
from app.cards.models import Card, Programme
from app.cards.people import Person
from app.clock import milliseconds
from app.db import Database
from app.ledger.service import POINTS
from app.outbox import service as outbox
from app.wallets.apple.models import Device

FILL_ROWS = 50_000
SQLITE_QUICKLY = ("synchronous=OFF", "cache_size=-600000", "temp_store=MEMORY", "foreign_keys=OFF")
SEQUENCES = ("member", "card", "account", "device", "registration", "target", "google_object")
PAIRS = [left + right for left in codes.ALPHABET for right in codes.ALPHABET]


def _pair_weight(pair: str) -> int:
    left, right = (codes.ALPHABET.index(symbol) for symbol in pair)
    return left + right * 2 // 32 + right * 2 % 32


WEIGHTS = [_pair_weight(pair) for pair in PAIRS]


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Whom to make: `cards` in all, the first `google` of them in Google Wallet too, one in ten of the first tier."""

    programme_id: int
    cards: int
    google: int = 0
    google_issuer: str = "3388000000000000000"


def seed(database: Database, crowd: Crowd, *, now: datetime) -> None:
    """Add the crowd and refresh the statistics that plans are chosen by."""
    if database.is_sqlite:
        quickly(database)
    with database.unit_of_work() as session:
        if not database.is_sqlite:
            session.execute(text("SET LOCAL statement_timeout = 0"))
        _identities(session, crowd.cards)
        _rows(session, crowd, now)
        if not database.is_sqlite:
            for name in SEQUENCES:
                session.execute(text(f"SELECT setval('{name}_id_seq', coalesce((SELECT max(id) FROM {name}), 1))"))
    database.close()  # the next connection has the product's own settings again
    analyze(database)


def analyze(database: Database) -> None:
    """Statistics of all tables; on PostgreSQL also the visibility map, as autovacuum would have made it by then."""
    raw = database.engine.raw_connection()
    driver: Any = raw.driver_connection
    if database.is_sqlite:
        for statement in ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"):
            driver.execute(statement)
    else:
        driver.autocommit = True
        driver.execute("SET statement_timeout = 0")
        driver.execute("VACUUM ANALYZE")
        driver.execute("RESET statement_timeout")
        driver.autocommit = False
    raw.close()


def quickly(database: Database) -> None:
    """For rows that can be made again: the connection waits for no disk and checks no keys."""
    raw = database.engine.raw_connection()
    driver: Any = raw.driver_connection
    for pragma in SQLITE_QUICKLY:
        driver.execute(f"PRAGMA {pragma}")
    raw.close()


def _identities(session: Session, count: int) -> None:
    session.execute(
        text(
            "CREATE TEMPORARY TABLE fresh (n INTEGER PRIMARY KEY, member TEXT, number TEXT, serial TEXT, link TEXT,"
            " device TEXT, token TEXT)"
        )
    )
    connection: Any = session.connection().connection.driver_connection
    if session.get_bind().dialect.name == "sqlite":
        connection.executemany("INSERT INTO fresh VALUES (?, ?, ?, ?, ?, ?, ?)", _fresh(count))
        return
    with connection.cursor() as cursor, cursor.copy("COPY fresh FROM STDIN") as copy:
        for row in _fresh(count):
            copy.write_row(row)
    session.execute(text("ANALYZE fresh"))


def _fresh(count: int) -> Iterator[Sequence[Any]]:
    for first in range(0, count, FILL_ROWS):
        size = min(FILL_ROWS, count - first)
        noise = os.urandom(size * 96).hex()
        for at in range(size):
            own = noise[at * 192 : at * 192 + 192]
            yield (
                first + at + 1, f"mem_{own[:22]}", _number(int(own[22:36], 16)), own[36:68], own[68:100],
                own[96:128], own[128:192],
            )  # fmt: skip


def _number(bits: int) -> str:
    pairs = [bits >> shift & 1023 for shift in (40, 30, 20, 10, 0)]
    return "".join(PAIRS[pair] for pair in pairs) + codes.ALPHABET[-sum(WEIGHTS[pair] for pair in pairs) % 32]


def _rows(session: Session, crowd: Crowd, now: datetime) -> None:
    programme = session.get_one(Programme, crowd.programme_id)
    values = {
        "programme": programme.id,
        "pass_type": programme.pass_type_identifier,
        "tier": programme.tiers[0].id if programme.tiers else None,
        "sealed": people.seal(session, Person(name="Ayşe Yılmaz")),
        "language": programme.language,
        "now": milliseconds(now),
        "whole_now": milliseconds(now) // 1000 * 1000,
        "members": session.scalar(text("SELECT coalesce(max(id), 0) FROM member")),
        "card_ids": session.scalar(select(func.coalesce(func.max(Card.id), 0))),
        "devices": session.scalar(select(func.coalesce(func.max(Device.id), 0))),
        "objects": session.scalar(text("SELECT coalesce(max(id), 0) FROM google_object")),
        "apple": outbox.sender_for(session, "apple", programme.pass_type_identifier).id,
        "unit": POINTS,
        "google": crowd.google,
        "run": secrets.token_hex(4),
    }
    steps = list(STEPS)
    if crowd.google:
        values["issuer"] = outbox.sender_for(session, "google", crowd.google_issuer).id
        steps += GOOGLE_STEPS
    for step in steps:
        session.execute(text(step), values)
    session.execute(text("DROP TABLE fresh"))


STEPS = (
    """INSERT INTO member (id, public_id, programme_id, sealed, language, marketing_consent, attributes, status, source,
         created_at)
       SELECT :members + n, member, :programme, :sealed, :language, false, '{}', 'active', 'seed', :now
       FROM fresh ORDER BY n""",
    """INSERT INTO card (id, programme_id, member_id, number, serial, link, tier_id, status, version, modified_at,
         qualifying_minor, created_at)
       SELECT :card_ids + n, :programme, :members + n, number, serial, link,
         CASE WHEN n % 10 = 0 THEN CAST(:tier AS INTEGER) END, 'active', 1, :whole_now, 0, :now
       FROM fresh ORDER BY n""",
    """INSERT INTO account (programme_id, member_id, role, unit, balance)
       SELECT :programme, :members + n, role, :unit, 0
       FROM fresh CROSS JOIN (SELECT 'avail' AS role UNION ALL SELECT 'debt') AS roles ORDER BY n""",
    """INSERT INTO device (id, library_identifier, push_token, token_updated_at, created_at)
       SELECT :devices + n, device, token, :now, :now FROM fresh ORDER BY n""",
    """INSERT INTO registration (device_id, card_id, pass_type_identifier, created_at)
       SELECT :devices + n, :card_ids + n, :pass_type, :now FROM fresh ORDER BY n""",
    """INSERT INTO target (channel, sender_id, card_id, address_id, want, done, fetched, lane, not_before, dirty_since,
         told_at, attempts, state, last_status, last_reason, last_at)
       SELECT 'apple', :apple, :card_ids + n, :devices + n, 1, 1, 1, 0, :now, :now, :now, 0, 'live', 200, '', :now
       FROM fresh ORDER BY n""",
)
GOOGLE_STEPS = (
    """INSERT INTO google_object (id, card_id, object_id, sent_hash, holders, has_users, saved_at, created_at)
       SELECT :objects + n, :card_ids + n, :run || '.' || serial, '', 1, true, :now, :now
       FROM fresh WHERE n <= :google ORDER BY n""",
    """INSERT INTO target (channel, sender_id, card_id, address_id, want, done, fetched, lane, not_before, dirty_since,
         told_at, attempts, state, last_status, last_reason, last_at)
       SELECT 'google', :issuer, :card_ids + n, :objects + n, 1, 1, 1, 0, :now, :now, :now, 0, 'live', 200, '', :now
       FROM fresh WHERE n <= :google ORDER BY n""",
)
