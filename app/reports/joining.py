"""Who is there: new members, active ones, cards in wallets, and moves between tiers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, or_, select

from app import i18n, localtime
from app.cards.models import Card, Installation, Member, Tier
from app.reports import metrics, monthly, reading
from app.reports.arithmetic import share
from app.reports.models import ReportBuyers, ReportCount
from app.reports.monthly import ANYWHERE
from app.reports.outcome import Ask, Column, Figure, Outcome, Picture, Series, Value
from app.reports.periods import Period, month_of

WALLETS = ("apple", "google")
STATES = ("active_members", "installed", "active_cards")
"""What a member's card is on a day; the rest is counted over days."""
NAMES = {"apple": "Apple Wallet", "google": "Google Wallet"}


def members(ask: Ask) -> Outcome:
    """New members by part of the period, and who was active and had the card at the end of each month.

    Of the month in which the period ends (or today lies) it is that day, as in the figures.
    """
    buckets = ask.period.buckets()
    joined: Counter[date] = Counter()
    monthly_: Counter[date] = Counter()
    for (day, _), times in reading.counts(ask, ask.period, "enrolled").items():
        joined[reading.bucket_of(buckets, day)] += times
        monthly_[month_of(day)] += times
    now, before = member_figures(ask, ask.period), member_figures(ask, ask.period.before)
    kept: dict[date, Sequence[Value]] = {
        month: (row.active, row.installed, row.active_installed) for month, row in of_months(ask).items()
    }
    kept[month_of(min(ask.period.last, ask.place.today))] = [now[name] for name in STATES]
    rows: list[Sequence[Value]] = []
    for part in ask.period.months():
        month = month_of(part.first)
        rows.append((part.first, monthly_[month], *kept.get(month, (None, None, None))))
    words = metrics.all_of(ask.language)
    picture = Picture(
        kind="columns", across=[one.first for one in buckets], axis=words["enrolments"].title,
        series=[Series(name=words["enrolments"].title, values=[joined[one.first] for one in buckets])],
    )  # fmt: skip
    columns = [
        Column(key="month", label=i18n.text(ask.language, "Month"), kind="month"),
        *(Column(key=name, label=words[name].title) for name in ("enrolments", *STATES)),
    ]
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def of_months(ask: Ask) -> dict[date, ReportBuyers]:
    """The people of each month, at the store that is asked about or anywhere."""
    query = select(ReportBuyers).where(
        ReportBuyers.programme_id == ask.place.programme_id, ReportBuyers.month >= month_of(ask.period.first),
        ReportBuyers.month <= ask.period.last,
        ReportBuyers.store_id == (ANYWHERE if ask.store_id is None else ask.store_id),
    )  # fmt: skip
    return {row.month: row for row in ask.session.scalars(query)}


def member_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """New members of a period, and who was active and had the card on its last day (or today)."""
    last = min(period.last, ask.place.today)
    own = ask.place.programme_id
    have = monthly.installed(ask.session, ask.place, last, store_id=ask.store_id)
    return {
        "enrolments": sum(reading.counts(ask, period, "enrolled").values()),
        "active_members": monthly.active(ask.session, own, last, ask.store_id),
        "installed": have,
        "active_cards": monthly.installed(ask.session, ask.place, last, only_active=True, store_id=ask.store_id),
        "install_rate": share(have, _ever_joined(ask, last)),
    }


def wallets(ask: Ask) -> Outcome:
    """Cards that came into a wallet and left it."""
    buckets = ask.period.buckets()
    sums: dict[date, Counter[str]] = defaultdict(Counter)
    for name in ("installed", "gone"):
        for (day, wallet), times in reading.counts(ask, ask.period, name).items():
            sums[reading.bucket_of(buckets, day)][f"{name}_{wallet}"] += times
    keys = [f"{name}_{wallet}" for wallet in WALLETS for name in ("installed", "gone")]
    rows: list[Sequence[Value]] = [
        (one.first, *(sums[one.first][key] for key in keys), _net(sums[one.first])) for one in buckets
    ]
    words = metrics.all_of(ask.language)
    titles = {"installed": words["installs"].title, "gone": words["uninstalls"].title}
    columns = [
        Column(key="day", label=i18n.text(ask.language, "From"), kind="day"),
        *(
            Column(key=f"{name}_{wallet}", label=f"{titles[name]}, {NAMES[wallet]}")
            for wallet in WALLETS
            for name in ("installed", "gone")
        ),
        Column(key="net_installs", label=words["net_installs"].title),
    ]
    picture = Picture(
        kind="columns", across=[one.first for one in buckets], axis=i18n.text(ask.language, "Cards"),
        series=[
            Series(name=title, values=[sum(sums[one.first][f"{name}_{wallet}"] for wallet in WALLETS)
                                       for one in buckets])
            for name, title in titles.items()
        ],
    )  # fmt: skip
    now, before = wallet_figures(ask, ask.period), wallet_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture, notes=_by_wallet(ask))


def wallet_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Installs and uninstalls of a period, and the share of those that were there when it began."""
    came = sum(reading.counts(ask, period, "installed").values())
    went = sum(reading.counts(ask, period, "gone").values())
    rate = share(went, sum(_there(ask, period.first).values()))
    return {"installs": came, "uninstalls": went, "net_installs": came - went, "uninstall_rate": rate}


def tiers(ask: Ask) -> Outcome:
    """How often cards went from which tier to which, and how many stand where today."""
    ladder = ask.session.scalars(
        select(Tier).where(Tier.programme_id == ask.place.programme_id).order_by(Tier.position)
    ).all()
    moves: Counter[tuple[int, int]] = Counter()
    for (_, key), times in reading.counts(ask, ask.period, "moved").items():
        before, _, after = key.partition(">")
        moves[int(before or 0), int(after or 0)] += times
    nobody = i18n.text(ask.language, "No tier")
    names = {0: nobody, **{one.id: one.texts.get(ask.language, one.name) for one in ladder}}
    place = {one: at for at, one in enumerate(names)}
    rows: list[Sequence[Value]] = [
        (names.get(before, nobody), names.get(after, nobody), times)
        for (before, after), times in sorted(moves.items(), key=lambda one: [place.get(at, 0) for at in one[0]])
    ]
    up = sum(times for (before, after), times in moves.items() if place.get(after, 0) > place.get(before, 0))
    down = sum(moves.values()) - up
    stand = _standing(ask)
    picture = Picture(
        kind="rows", across=list(names.values()), axis=i18n.text(ask.language, "Cards by tier today"),
        series=[Series(name="", values=[stand.get(one, 0) for one in names])],
    )  # fmt: skip
    columns = [
        Column(key="from", label=i18n.text(ask.language, "From tier"), kind="text"),
        Column(key="to", label=i18n.text(ask.language, "To tier"), kind="text"),
        Column(key="moves", label=i18n.text(ask.language, "Moves")),
    ]
    figures = [Figure(metric="tier_moves_up", value=up), Figure(metric="tier_moves_down", value=down)]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def _net(sums: Counter[str]) -> int:
    return sum(sums[f"installed_{wallet}"] - sums[f"gone_{wallet}"] for wallet in WALLETS)


def _there(ask: Ask, first: date) -> dict[str, int]:
    """Cards in each wallet when a day began."""
    begins = localtime.start_of_day(first, ask.place.zone)
    query = (
        select(Installation.wallet, func.count())
        .where(
            Installation.programme_id == ask.place.programme_id, Installation.installed_at < begins,
            or_(Installation.gone_at.is_(None), Installation.gone_at >= begins),
        )
        .group_by(Installation.wallet)
    )  # fmt: skip
    if ask.store_id is not None:
        at_home = func.coalesce(Member.home_store_id, 0) == ask.store_id
        query = query.join(Card, Card.id == Installation.card_id).join(Member, Member.id == Card.member_id)
        query = query.where(at_home)
    return {wallet: int(times) for wallet, times in ask.session.execute(query)}


def _by_wallet(ask: Ask) -> list[str]:
    found = []
    there = _there(ask, ask.period.first)
    gone: Counter[str] = Counter()
    for (_, wallet), times in reading.counts(ask, ask.period, "gone").items():
        gone[wallet] += times
    for wallet in WALLETS:
        if there.get(wallet):
            values = {"wallet": NAMES[wallet], "gone": gone[wallet], "there": there[wallet]}
            found.append(i18n.text(ask.language, "%(wallet)s: %(gone)s of %(there)s cards left.", **values))
    return found


def _ever_joined(ask: Ask, last: date) -> int:
    query = select(func.sum(ReportCount.count)).where(
        ReportCount.programme_id == ask.place.programme_id, ReportCount.name == "enrolled", ReportCount.day <= last
    )
    if ask.store_id is not None:
        query = query.where(ReportCount.store_id == ask.store_id)
    return int(ask.session.scalar(query) or 0)


def _standing(ask: Ask) -> dict[int, int]:
    query = (
        select(func.coalesce(Card.tier_id, 0), func.count())
        .where(Card.programme_id == ask.place.programme_id, Card.status == "active", Card.kind == "loyalty")
        .group_by(Card.tier_id)
    )
    return {tier: int(times) for tier, times in ask.session.execute(query)}
