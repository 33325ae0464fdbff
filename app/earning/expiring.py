"""When what is earned now will expire: always the first instant of a day by the programme's calendar."""

import calendar
from datetime import date, datetime, timedelta

from app import localtime
from app.earning.rules import Expiry, Policy


def expires_at(expiry: Expiry, earned_at: datetime, zone: str) -> datetime | None:
    """The first instant at which units earned at *earned_at* are gone; None if they never are.

    A date says the last day on which they can be spent, so they die with the first instant of the next one.
    """
    earned_on = localtime.wall_clock(earned_at, zone).date()
    match expiry.policy:
        case Policy.NEVER:
            return None
        case Policy.ROLLING | Policy.INACTIVITY:
            last = earned_on + timedelta(days=expiry.days)
        case Policy.CALENDAR:
            last = end_of_month(earned_on, expiry.months)
        case Policy.FIXED:
            if expiry.on is None or expiry.on < earned_on:
                return None  # the rule set is older than its date; its owner is told to write another
            last = expiry.on
    return localtime.end_of_day(last, zone)


def end_of_month(day: date, months_on: int) -> date:
    """The last day of the month that lies *months_on* after the month of *day*."""
    year, month = divmod(day.year * 12 + day.month - 1 + months_on, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
