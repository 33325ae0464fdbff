"""What moved: units by period, the monthly file for finance, and what was set aside."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from app import i18n
from app.ledger.held import POINTS
from app.reports import metrics, reading
from app.reports.arithmetic import share
from app.reports.outcome import Ask, Column, Figure, Outcome, Picture, Series, Units, Value
from app.reports.periods import DAY, Period
from app.reports.reading import MOVEMENTS

FINANCE = ("opening", *MOVEMENTS, "closing")


def units(ask: Ask) -> Outcome:
    """What came into members' hands and left them, for each part of the period and each unit."""
    buckets = ask.period.buckets()
    sums: dict[tuple[object, str], Counter[str]] = defaultdict(Counter)
    for (day, unit), found in reading.flows(ask, ask.period, "day", "unit").items():
        sums[reading.bucket_of(buckets, day), unit].update(found)
    rows: list[Sequence[Value]] = [
        (bucket.first, unit, *(Units(sums[bucket.first, unit][name], unit) for name in MOVEMENTS))
        for bucket in buckets
        for unit in sorted({unit for first, unit in sums if first == bucket.first})
    ]
    points = [sums[bucket.first, POINTS] for bucket in buckets]
    words = metrics.all_of(ask.language)
    picture = Picture(
        kind="columns",
        across=[bucket.first for bucket in buckets],
        series=[
            Series(name=words["issued"].title, values=[one["issued"] + one["returned"] for one in points]),
            Series(name=words["redeemed"].title, values=[-one["redeemed"] - one["given_back"] for one in points]),
        ],
        axis=i18n.text(ask.language, "Points"),
    )
    now, before = unit_figures(ask, ask.period), unit_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=_columns(ask, MOVEMENTS), rows=rows, figures=figures, picture=picture)


def unit_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """The points of a period, and what was outstanding at its end."""
    found = reading.flows(ask, period, "unit")[POINTS,]
    left = reading.balances(ask, period.last + DAY, "unit")[POINTS,]
    issued, used = found["issued"] + found["returned"], -found["redeemed"] - found["given_back"]
    return {
        "issued": issued, "redeemed": used, "expired": -found["expired"], "outstanding": left,
        "redemption_rate": share(used, issued),
    }  # fmt: skip


def finance(ask: Ask) -> Outcome:
    """Opening, movements and closing for each month, unit and store; it adds up from one month to the next."""
    names = reading.stores(ask)
    balance = reading.balances(ask, ask.period.first, "store_id", "unit")
    found = reading.flows(ask, ask.period, "day", "store_id", "unit")
    months = ask.period.months()
    sums: dict[object, Counter[str]] = defaultdict(Counter)
    for (day, store, unit), moved in found.items():
        sums[reading.bucket_of(months, day), store, unit].update(moved)
    keys = sorted({(unit, names.get(store, ""), store) for store, unit in balance} |
                  {(unit, names.get(store, ""), store) for _, store, unit in found})  # fmt: skip
    rows: list[Sequence[Value]] = []
    for month in months:
        for unit, name, store in keys:
            moved = sums[month.first, store, unit]
            opening = balance[store, unit]
            closing = opening + sum(moved.values())
            balance[store, unit] = closing
            if opening or closing or any(moved.values()):
                amounts = (opening, *(moved[one] for one in MOVEMENTS), closing)
                rows.append((month.first, unit, name, *(Units(one, unit) for one in amounts)))
    columns = [*_columns(ask, ())[:2], Column(key="store", label=i18n.text(ask.language, "Store"), kind="text"),
               *_columns(ask, FINANCE)[2:]]  # fmt: skip
    columns[0] = Column(key="month", label=i18n.text(ask.language, "Month"), kind="month")
    picture = Picture(
        kind="columns", across=[month.first for month in months],
        series=[Series(name="", values=_closing(rows, months))],
        axis=i18n.text(ask.language, "Points outstanding at the end of the month"),
    )  # fmt: skip
    return Outcome(columns=columns, rows=rows, picture=picture)


def holds(ask: Ask) -> Outcome:
    """What was reserved for rewards, used of it, and let go."""
    buckets = ask.period.buckets()
    sums: dict[tuple[object, str], Counter[str]] = defaultdict(Counter)
    for (day, unit), found in reading.set_aside(ask, ask.period).items():
        sums[reading.bucket_of(buckets, day), unit].update(found)
    kinds = {"holds_placed": "hold", "holds_used": "capture", "holds_released": "release"}
    rows: list[Sequence[Value]] = [
        (bucket.first, unit, *(Units(sums[bucket.first, unit][kind], unit) for kind in kinds.values()))
        for bucket in buckets
        for unit in sorted({unit for first, unit in sums if first == bucket.first})
    ]
    points = [sums[bucket.first, POINTS] for bucket in buckets]
    words = metrics.all_of(ask.language)
    picture = Picture(
        kind="columns", across=[bucket.first for bucket in buckets], axis=i18n.text(ask.language, "Points"),
        series=[Series(name=words[name].title, values=[one[kind] for one in points]) for name, kind in kinds.items()],
    )  # fmt: skip
    figures = [Figure(metric=name, value=sum(one[kind] for one in points)) for name, kind in kinds.items()]
    return Outcome(columns=_columns(ask, tuple(kinds)), rows=rows, figures=figures, picture=picture)


def _closing(rows: Sequence[Sequence[Value]], months: Sequence[Period]) -> list[Value]:
    left: Counter[object] = Counter()
    for row in rows:
        last = row[-1]
        if row[1] == POINTS and isinstance(last, Units):
            left[row[0]] += last.amount
    return [left[month.first] for month in months]


def _columns(ask: Ask, names: Sequence[str]) -> list[Column]:
    words = metrics.all_of(ask.language)
    return [
        Column(key="day", label=i18n.text(ask.language, "From"), kind="day"),
        Column(key="unit", label=i18n.text(ask.language, "Unit"), kind="unit"),
        *(Column(key=name, label=words[name].title) for name in names),
    ]
