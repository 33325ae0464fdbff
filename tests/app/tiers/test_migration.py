"""Cards of the release before keep their tier and their spend, for a year from the migration on."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.clock import system_clock
from app.db import Database
from app.earning.expiring import end_of_month
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.models import CardStanding, MetricMonth
from tests.app.migrations.test_migrations import upgrade

PROGRAMME = """INSERT INTO programme (id, public_id, slug, name, currency, timezone, language, pass_type_identifier,
    team_identifier, organization_name, description, status, earn_points, earn_per_minor, design, design_version,
    revision, created_at)
  VALUES (1, 'p', 's', 'n', 'TRY', 'Europe/Istanbul', 'tr', 'pass.x', 'T', 'o', 'd', 'live', 1, 1000, '{}', 1, 0, 0)"""
TIERS = """INSERT INTO tier (id, programme_id, position, name, texts, threshold_minor, multiplier_num, multiplier_den)
  VALUES (5, 1, 0, 'Base', '{}', 0, 1, 1), (6, 1, 1, 'Silver', '{}', 200000, 1, 1)"""
MEMBER = """INSERT INTO member (id, public_id, programme_id, language, marketing_consent, attributes, status, source,
    created_at)
  VALUES (:id, :name, 1, 'tr', false, '{}', 'active', 'x', 0)"""
CARD = """INSERT INTO card (id, programme_id, member_id, number, serial, link, tier_id, status, version, modified_at,
    qualifying_minor, created_at)
  VALUES (:id, 1, :id, :name, :name, :name, :tier, 'active', 1, 0, :spent, 0)"""
NOTHING, LITTLE, SILVER, SILVER_BY_HAND = 1, 2, 3, 4


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Four cards of the release before, brought to this one."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path}/former.db")
    else:
        made = Database(request.getfixturevalue("postgres_url"))
        with made.engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    upgrade(made, "0002")
    with made.engine.begin() as connection:
        for statement in (PROGRAMME, TIERS):
            connection.exec_driver_sql(statement)
        for card, spent, tier in ((NOTHING, 0, 5), (LITTLE, 100, 5), (SILVER, 250_000, 6), (SILVER_BY_HAND, 0, 6)):
            values = {"id": card, "name": f"n{card}", "spent": spent, "tier": tier}
            connection.execute(text(MEMBER.replace("'{}'", "'{ }'")), values)
            connection.execute(text(CARD), values)
    upgrade(made, "head")
    yield made
    made.close()


def test_every_card_stands_where_it_stood(migrated: Database) -> None:
    with migrated.reading() as session:
        ladder = standings.ladder_of(session, 1)
        today = ladder.today(system_clock())
        records = standings.of_cards(session, ladder, [NOTHING, LITTLE, SILVER, SILVER_BY_HAND])
        months = {row.card_id: (row.month, row.spend_minor) for row in session.scalars(select(MetricMonth))}
        due = {row.card_id: row.due_on for row in session.scalars(select(CardStanding))}

    year_on, month = end_of_month(today, 12), today.replace(day=1)
    assert {one: (record.standing.place, record.standing.valid_to) for one, record in records.items()} == {
        NOTHING: (0, None), LITTLE: (0, None), SILVER: (1, year_on), SILVER_BY_HAND: (1, year_on),
    }  # fmt: skip
    assert months == {LITTLE: (month, 100), SILVER: (month, 250_000)}
    assert due == dict.fromkeys((LITTLE, SILVER, SILVER_BY_HAND), date(month.year + 1, month.month, 1))


def test_a_year_later_the_carried_spend_no_longer_counts_and_the_tier_has_its_grace(migrated: Database) -> None:
    with migrated.reading() as session:
        ladder = standings.ladder_of(session, 1)
        record = standings.of_cards(session, ladder, [SILVER])[SILVER]
    year_on = end_of_month(ladder.today(system_clock()), 12)

    last_day = ladders.settled(ladder, record, year_on)
    next_day = ladders.settled(ladder, record, year_on + timedelta(days=1))

    assert (last_day.standing.place, last_day.standing.grace_to) == (1, None)
    assert (next_day.standing.place, next_day.standing.grace_to) == (1, year_on + timedelta(days=30))
    assert ladders.metric_of(ladder, record, year_on) == 0
