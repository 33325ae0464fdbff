"""Over which days habits look back; today is the last of them."""

from datetime import date, timedelta

ACTIVE_DAYS = 90
"""Who bought in the last so many days is active."""
STORE_DAYS = 90
YEAR_DAYS = 365
FEWEST_DAYS_FOR_RHYTHM = 3


def first_day(today: date, days: int) -> date:
    """The first of the last so many days."""
    return today - timedelta(days=days - 1)
