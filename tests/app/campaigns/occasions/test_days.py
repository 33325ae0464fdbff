"""Days of the calendar."""

from datetime import UTC, datetime

from tests.app.campaigns.crowd import outcome, recipients, settled
from tests.app.campaigns.occasions.street import Street

TEACHERS = {"on": "occasion", "calendar": "tr", "day": "teachers_day"}


def test_everybody_is_told_on_the_day_by_their_own_clock_every_year(street: Street) -> None:
    here, east = street.card(), street.card("Budi Santoso", zone="Asia/Jakarta")
    campaign = street.follows(TEACHERS)

    for day in range(6):
        street.due()
        settled(street.world)
        street.days_later(1)
        assert day >= 0
    first = recipients(street.world, campaign)
    street.clock.at = datetime(2027, 11, 24, 9, tzinfo=UTC)
    street.due()
    settled(street.world)

    assert first[here.id].due_at == datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
    assert first[east.id].due_at == datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    assert outcome(street.world, campaign) == {"sent": 4}
    assert street.occasions(here) == ["occasion:teachers_day:2026-11-24", "occasion:teachers_day:2027-11-24"]


def test_days_before_and_late_until_the_day_is_over(street: Street) -> None:
    card = street.card()
    street.follows({**TEACHERS, "days_before": 3})
    assert street.due() == 1  # it leaves tomorrow
    later = street.card("Can Demir")

    street.clock.at = datetime(2026, 11, 24, 20, tzinfo=UTC)
    assert street.due() == 1
    street.card("Eda Kaya")
    street.clock.at = datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert street.due() == 0

    assert street.occasions(card) == street.occasions(later) == ["occasion:teachers_day:2026-11-24"]


def test_a_day_before_the_campaign_began_is_not_made_up_for(street: Street) -> None:
    street.card()
    street.follows({"on": "occasion", "dates": ["2026-11-19"]})

    assert street.due() == 0


def test_a_greeting_that_the_night_moves_beyond_its_day_is_not_said(street: Street) -> None:
    campaign = street.follows(TEACHERS)
    street.clock.at = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)  # 22:30 here, which is quiet
    here, west = street.card(), street.card("Ana Silva", zone="America/Sao_Paulo")
    assert street.due() == 2
    settled(street.world)

    street.clock.at = datetime(2026, 11, 25, 6, 0, 1, tzinfo=UTC)
    settled(street.world)

    told = recipients(street.world, campaign)
    assert (told[here.id].state, told[here.id].reason) == ("suppressed", "no_longer")
    assert told[west.id].state == "sent"
