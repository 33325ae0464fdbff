"""What is owed: cohorts of points, liability, deferred revenue, and what the programme costs."""

from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from sqlalchemy import func, select

from app import i18n
from app.ledger.held import POINTS
from app.reports import arithmetic, metrics, reading
from app.reports.arithmetic import share
from app.reports.models import ReportCohort, ReportDesk, ReportFlow, ReportOffer
from app.reports.outcome import Ask, Column, Figure, Outcome, Picture, Series, Units, Value
from app.reports.periods import DAY, Period, month_of, next_month

PARTS = ("redeemed", "held", "expired", "returned", "other", "open")


def cohorts(ask: Ask) -> Outcome:
    """What became of the points of each month until now."""
    rows: list[Sequence[Value]] = []
    found = _cohorts(ask)
    for one in found:
        over = one.ends_on is not None and one.ends_on < ask.place.today
        amounts = (getattr(one, name) for name in ("issued", *PARTS))
        rates = (share(one.redeemed, one.issued), share(one.expired, one.issued) if over else None)
        rows.append((one.month, *amounts, *rates))
    words = metrics.all_of(ask.language)
    picture = Picture(
        kind="curves", across=[one.month for one in found], axis=words["redemption_rate_cohort"].title,
        series=[Series(name=words["redemption_rate_cohort"].title, values=[row[-2] for row in rows])],
    )  # fmt: skip
    figures = [
        Figure(metric="redemption_rate_cohort", value=share(_sum(found, "redeemed"), _sum(found, "issued"))),
        Figure(metric="breakage", value=breakage(ask, found)),
    ]
    return Outcome(columns=_cohort_columns(ask), rows=rows, figures=figures, picture=picture)


def breakage(ask: Ask, found: Sequence[ReportCohort]) -> Fraction | None:
    """Of the points of months that are over for good, the share that expired."""
    over = [one for one in found if one.ends_on is not None and one.ends_on < ask.place.today]
    return share(_sum(over, "expired"), _sum(over, "issued"))


def liability(ask: Ask) -> Outcome:
    """What outstanding points will cost, and money that is owed, at the end of each month."""
    months = ask.period.months()
    left = reading.balances(ask, ask.period.first, "unit")
    found = reading.flows(ask, ask.period, "day", "unit")
    rows: list[Sequence[Value]] = []
    for month in months:
        for (day, unit), moved in found.items():
            if month.first <= day <= month.last:
                left[unit,] += sum(moved.values())
        owed = left[ask.currency,] + left[f"bonus:{ask.currency}",]
        rows.append((month.last, left[POINTS,], _worth(ask, left[POINTS,]), Units(owed, ask.currency)))
    words = metrics.all_of(ask.language)
    drawn = 2 if ask.worth.point_minor is not None and ask.worth.expected_use is not None else 1
    picture = Picture(
        kind="curves", across=[month.last for month in months],
        axis=words[("outstanding", "liability")[drawn - 1]].title,
        series=[Series(name=words[("outstanding", "liability")[drawn - 1]].title, values=[row[drawn] for row in rows])],
    )  # fmt: skip
    columns = [
        Column(key="day", label=i18n.text(ask.language, "At the end of"), kind="day"),
        *(Column(key=name, label=words[name].title) for name in ("outstanding", "liability", "money_owed")),
    ]
    now, before = owed_figures(ask, ask.period), owed_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture, notes=_unsaid(ask))


def owed_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Points outstanding at the end of a period, what they will cost, and the money that is owed."""
    left = reading.balances(ask, period.last + DAY, "unit")
    money = left[ask.currency,] + left[f"bonus:{ask.currency}",]
    return {
        "outstanding": left[POINTS,], "liability": _worth(ask, left[POINTS,]), "money_owed": Units(money, ask.currency)
    }  # fmt: skip


def deferral(ask: Ask) -> Outcome:
    """For each month: which part of sales belongs to points still to be used, and how much of it is earned since."""
    months = ask.period.months()
    sold = reading.sales(ask, ask.period, ReportDesk.day)
    issued = _promised(ask)
    used = {one.month: one.redeemed for one in _cohorts(ask)}
    rows: list[Sequence[Value]] = []
    for month in months:
        minor = sum(amount for (day,), (_, amount) in sold.items() if month.first <= day <= month.last)
        points = sum(units for day, units in issued.items() if month.first <= day <= month.last)
        until_now = used.get(month.first, 0) if _is_whole(month, ask.place.today) else None
        rows.append((month.first, *_deferred(ask, minor, points, until_now)))
    words = metrics.all_of(ask.language)
    names = ("sales_amount", "issued", "deferred", "revenue_now", "redeemed", "recognised")
    columns = [
        Column(key="month", label=i18n.text(ask.language, "Month"), kind="month"),
        *(Column(key=name, label=words[name].title) for name in names),
    ]
    picture = Picture(
        kind="columns", across=[month.first for month in months], axis=words["deferred"].title,
        series=[Series(name=words["deferred"].title, values=[row[3] for row in rows])],
    )  # fmt: skip
    return Outcome(columns=columns, rows=rows, picture=picture, notes=[*_unsaid(ask), _by_night(ask)])


def cost(ask: Ask) -> Outcome:
    """What the programme cost in each part of the period, beside what its members bought."""
    buckets = ask.period.buckets()
    rows: list[Sequence[Value]] = []
    found = reading.flows(ask, ask.period, "day", "unit")
    sold = reading.sales(ask, ask.period, ReportDesk.day)
    discounts = discounts_by_day(ask, ask.period)
    for bucket in buckets:
        inside = [moved for (day, unit), moved in found.items() if unit == POINTS and _holds(bucket, day)]
        points = -reading.total(inside, "redeemed", "given_back")
        off = sum(minor for day, minor in discounts.items() if _holds(bucket, day))
        minor = sum(amount for (day,), (_, amount) in sold.items() if _holds(bucket, day))
        rows.append((bucket.first, points, *_cost(ask, points, off, minor)))
    words = metrics.all_of(ask.language)
    names = ("redeemed", "discounts", "programme_cost", "sales_amount", "cost_rate")
    columns = [
        Column(key="day", label=i18n.text(ask.language, "From"), kind="day"),
        *(Column(key=name, label=words[name].title, kind=_kind(words[name].unit)) for name in names),
    ]
    picture = Picture(
        kind="columns", across=[bucket.first for bucket in buckets], axis=words["programme_cost"].title,
        series=[Series(name=words["programme_cost"].title, values=[row[3] for row in rows])],
    )  # fmt: skip
    now, before = cost_figures(ask, ask.period), cost_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture, notes=_unsaid(ask))


def cost_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """The cost of a period, in money and in member sales."""
    moved = reading.flows(ask, period, "unit")[POINTS,]
    points = -moved["redeemed"] - moved["given_back"]
    off = sum(discounts_by_day(ask, period).values())
    discount, cost_, sold, rate = _cost(ask, points, off, reading.sold(ask, period)[1])
    return {"programme_cost": cost_, "discounts": discount, "sales_amount": sold, "cost_rate": rate}


def discounts_by_day(ask: Ask, period: Period) -> dict[date, int]:
    """What offers took off, less what was undone, in minor units."""
    query = (
        select(ReportOffer.day, func.sum(ReportOffer.cost_minor - ReportOffer.undone_minor))
        .where(ReportOffer.programme_id == ask.place.programme_id, ReportOffer.day >= period.first,
               ReportOffer.day <= period.last)
        .group_by(ReportOffer.day)
    )  # fmt: skip
    if ask.store_id is not None:
        query = query.where(ReportOffer.store_id == ask.store_id)
    return {day: int(minor) for day, minor in ask.session.execute(query)}


def _worth(ask: Ask, points: int) -> Value:
    worth = ask.worth
    if worth.point_minor is None or worth.expected_use is None:
        return None
    return Units(arithmetic.liability(points, worth.point_minor, worth.expected_use), ask.currency)


def _deferred(ask: Ask, minor: int, points: int, used: int | None) -> tuple[Value, ...]:
    worth, of = ask.worth, ask.currency
    if worth.point_minor is None or worth.expected_use is None:
        return Units(minor, of), points, None, None, used, None
    later = arithmetic.deferred(minor, points, worth.point_minor, worth.expected_use)
    earned = None if used is None else arithmetic.recognised(later, used, points * worth.expected_use)
    since = None if earned is None else Units(earned, of)
    return Units(minor, of), points, Units(later, of), Units(minor - later, of), used, since


def _cost(ask: Ask, points: int, off: int, minor: int) -> tuple[Value, Value, Value, Value]:
    of, value_ = ask.currency, ask.worth.point_minor
    if value_ is None:
        return Units(off, of), None, Units(minor, of), None
    whole = arithmetic.rounded(points * value_) + off
    return Units(off, of), Units(whole, of), Units(minor, of), share(whole, minor)


def _promised(ask: Ask) -> dict[date, int]:
    """Points that purchases and events issued, less those taken back, by day."""
    query = (
        select(ReportFlow.day, func.sum(ReportFlow.units))
        .where(ReportFlow.programme_id == ask.place.programme_id, ReportFlow.unit == POINTS,
               ReportFlow.role == "issue", ReportFlow.day >= ask.period.first, ReportFlow.day <= ask.period.last)
        .group_by(ReportFlow.day)
    )  # fmt: skip
    return {day: -int(units) for day, units in ask.session.execute(query)}


def _cohorts(ask: Ask) -> Sequence[ReportCohort]:
    query = select(ReportCohort).where(
        ReportCohort.programme_id == ask.place.programme_id, ReportCohort.unit == POINTS,
        ReportCohort.month >= month_of(ask.period.first), ReportCohort.month <= ask.period.last,
    )  # fmt: skip
    return ask.session.scalars(query.order_by(ReportCohort.month)).all()


def _cohort_columns(ask: Ask) -> list[Column]:
    words = metrics.all_of(ask.language)
    return [
        Column(key="month", label=i18n.text(ask.language, "Credited in"), kind="month"),
        Column(key="credited", label=i18n.text(ask.language, "Credited")),
        Column(key="redeemed", label=words["redeemed"].title),
        Column(key="held", label=i18n.text(ask.language, "Set aside")),
        Column(key="expired", label=words["expired"].title),
        Column(key="returned", label=words["returned"].title),
        Column(key="other", label=i18n.text(ask.language, "Corrected, owed or moved")),
        Column(key="open", label=i18n.text(ask.language, "Still there")),
        Column(key="redemption_rate_cohort", label=i18n.text(ask.language, "Redeemed, share"), kind="share"),
        Column(key="breakage", label=words["breakage"].title, kind="share"),
    ]


def _sum(found: Sequence[ReportCohort], name: str) -> int:
    return sum(getattr(one, name) for one in found)


def _is_whole(part: Period, today: date) -> bool:
    """Whether all days of a month that have come lie in this part of it."""
    ends = next_month(part.first) - DAY
    return part.first == month_of(part.first) and part.last >= min(ends, today)


def _holds(bucket: Period, day: date) -> bool:
    return bucket.first <= day <= bucket.last


def _kind(unit: str) -> str:
    return unit if unit in {"share", "decimal", "days"} else "number"


def _unsaid(ask: Ask) -> list[str]:
    if ask.worth.point_minor is not None and ask.worth.expected_use is not None:
        return []
    return [
        i18n.text(
            ask.language,
            "The value of a point and its expected use are not set: set them, and what follows from them is shown.",
        )
    ]


def _by_night(ask: Ask) -> str:
    return i18n.text(
        ask.language,
        "What was redeemed and recognised is counted every night, and only for whole months; sales and issued points "
        "are counted every hour.",
    )
