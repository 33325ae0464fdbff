"""How members buy: again, how often, when for the second time, and how they rank."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select

from app import i18n
from app.habits.models import Habit
from app.reports import arithmetic, cohorts, metrics, monthly
from app.reports.arithmetic import share
from app.reports.joining import of_months
from app.reports.models import ReportBuyers, ReportReturn
from app.reports.monthly import Buyers
from app.reports.outcome import Ask, Column, Figure, Outcome, Picture, Series, Units, Value
from app.reports.periods import Period, month_of, next_month

WITHIN_DAYS = (7, 14, 30, 60, 90, 180, 365)
BEST = 5


def repeat(ask: Ask) -> Outcome:
    """Who bought again, month by month and over the whole period."""
    rows: list[Sequence[Value]] = []
    for month, found in sorted(_whole_months(ask).items()):
        last = min(next_month(month) - timedelta(days=1), ask.place.today)
        often = arithmetic.per_30_days(found.sales, found.buyers, (last - month).days + 1)
        rows.append((month, found.buyers, found.repeaters, share(found.repeaters, found.buyers), found.sales, often))
    words = metrics.all_of(ask.language)
    columns = [
        Column(key="month", label=i18n.text(ask.language, "Whole month"), kind="month"),
        Column(key="buyers", label=words["buyers"].title),
        Column(key="repeaters", label=words["repeaters"].title),
        Column(key="repeat_rate", label=words["repeat_rate"].title, kind="share"),
        Column(key="sales", label=words["sales"].title),
        Column(key="frequency", label=words["frequency"].title, kind="decimal"),
    ]
    picture = Picture(
        kind="curves", across=[row[0] for row in rows if isinstance(row[0], date)], axis=words["repeat_rate"].title,
        series=[Series(name=words["repeat_rate"].title, values=[row[3] for row in rows])],
    )  # fmt: skip
    now, before = repeat_figures(ask, ask.period), repeat_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    if ask.store_id is None:
        figures.append(Figure(metric="median_gap", value=median_gap(ask)))
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def repeat_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Buyers of a period, those who came again, and how often they bought."""
    found = monthly.bought(ask.session, ask.place.programme_id, period, ask.store_id)
    return {
        "buyers": found.buyers,
        "repeaters": found.repeaters,
        "repeat_rate": share(found.repeaters, found.buyers),
        "frequency": arithmetic.per_30_days(found.sales, found.buyers, period.days_until(ask.place.today)),
    }


def _whole_months(ask: Ask) -> dict[date, Buyers]:
    """Buyers of each month; of the one that is not over they are counted now, as those of the whole period are."""
    found = {month: _buyers(row) for month, row in of_months(ask).items()}
    today = ask.place.today
    month = month_of(today)
    if month_of(ask.period.first) <= month <= ask.period.last:
        until_now = Period(first=month, last=today)
        people = monthly.bought(ask.session, ask.place.programme_id, until_now, ask.store_id)
        if month in found or people.buyers:
            found[month] = people
    return found


def _buyers(row: ReportBuyers) -> Buyers:
    return Buyers(buyers=row.buyers, repeaters=row.repeaters, sales=row.sales, spend_minor=row.spend_minor)


def median_gap(ask: Ask) -> Value:
    """The median of members' own median gaps, in days."""
    query = (
        select(Habit.median_gap_days, func.count())
        .where(Habit.programme_id == ask.place.programme_id, Habit.median_gap_days.is_not(None))
        .group_by(Habit.median_gap_days)
    )
    return arithmetic.median({int(days or 0): int(cards) for days, cards in ask.session.execute(query)})


def second_purchases(ask: Ask) -> Outcome:
    """Of those who bought first in a month, how many did so again within so many days."""
    gaps: dict[date, dict[date, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    query = select(ReportReturn.first_day, ReportReturn.gap_days, ReportReturn.cards).where(
        ReportReturn.programme_id == ask.place.programme_id, ReportReturn.first_day >= month_of(ask.period.first),
        ReportReturn.first_day <= ask.period.last,
    )  # fmt: skip
    for day, gap, cards in ask.session.execute(query):
        gaps[month_of(day)][day][gap] += cards
    rows: list[Sequence[Value]] = [
        (month, sum(sum(one.values()) for one in days.values()),
         *(within(days, limit, today=ask.place.today) for limit in WITHIN_DAYS))
        for month, days in sorted(gaps.items())
    ]  # fmt: skip
    columns = [
        Column(key="month", label=i18n.text(ask.language, "First purchase in"), kind="month"),
        Column(key="members", label=i18n.text(ask.language, "Members")),
        *(
            Column(key=f"within_{days}", kind="share", label=i18n.text(ask.language, "%(days)s days", days=days))
            for days in WITHIN_DAYS
        ),
    ]
    everybody = {day: found for days in gaps.values() for day, found in days.items()}
    shares = [within(everybody, days, today=ask.place.today) for days in WITHIN_DAYS]
    words = metrics.all_of(ask.language)
    picture = Picture(
        kind="columns", across=[str(days) for days in WITHIN_DAYS], axis=words["cohort_repeat"].title,
        series=[Series(name=words["cohort_repeat"].title, values=shares)],
    )  # fmt: skip
    figures = [Figure(metric="cohort_repeat", value=shares[WITHIN_DAYS.index(30)])]
    note = i18n.text(ask.language, "The figure above is the one of 30 days; all months of the period together.")
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture, notes=[note])


def within(days: dict[date, Counter[int]], limit: int, *, today: date) -> Value:
    """The share with a second purchase within *limit* days, of those whose first one is at least as long ago."""
    old = [found for day, found in days.items() if (today - day).days >= limit]
    again = sum(cards for found in old for gap, cards in found.items() if cohorts.NEVER < gap <= limit)
    return share(again, sum(sum(found.values()) for found in old))


def rfm(ask: Ask) -> Outcome:
    """Members by how recently, how often and for how much they bought in 365 days; 5 is the best fifth."""
    query = (
        select(Habit.recency, Habit.frequency, Habit.monetary, func.count(), func.sum(Habit.spend_365_minor))
        .where(Habit.programme_id == ask.place.programme_id, Habit.recency.is_not(None))
        .group_by(Habit.recency, Habit.frequency, Habit.monetary)
        .order_by(Habit.recency.desc(), Habit.frequency.desc(), Habit.monetary.desc())
    )
    found = ask.session.execute(query).all()
    rows: list[Sequence[Value]] = [
        (r, f, m, int(cards), Units(int(minor or 0), ask.currency)) for r, f, m, cards, minor in found
    ]
    by_recency: Counter[int] = Counter()
    for r, _, _, cards, _ in found:
        by_recency[int(r or 0)] += int(cards)
    columns = [
        Column(key="recency", label=i18n.text(ask.language, "Recency")),
        Column(key="frequency", label=i18n.text(ask.language, "Frequency")),
        Column(key="monetary", label=i18n.text(ask.language, "Spend")),
        Column(key="members", label=i18n.text(ask.language, "Members")),
        Column(key="spend", label=i18n.text(ask.language, "Spent in 365 days")),
    ]
    picture = Picture(
        kind="columns", across=[str(one) for one in range(1, BEST + 1)],
        axis=i18n.text(ask.language, "Members by recency, 5 is the most recent fifth"),
        series=[Series(name="", values=[by_recency[one] for one in range(1, BEST + 1)])],
    )  # fmt: skip
    note = i18n.text(ask.language, "Counted last night for the 365 days before it, whatever the period above is.")
    return Outcome(columns=columns, rows=rows, picture=picture, notes=[note])
