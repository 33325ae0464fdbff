"""Who sold and what helped: stores, cashiers, offers and the messages of campaigns."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from app import i18n
from app.campaigns.models import Campaign
from app.ledger.held import POINTS
from app.offers.models import Offer
from app.reports import baskets, metrics, monthly, reading
from app.reports.arithmetic import share
from app.reports.models import ReportDesk, ReportOffer, ReportRun
from app.reports.outcome import Ask, Column, Figure, Outcome, Picture, Reasons, Series, Units, Value
from app.reports.periods import Period
from app.staff.models import Staff

DRAWN_MOST = 12
Desks = dict[tuple[Any, ...], Counter[str]]


def stores(ask: Ask) -> Outcome:
    """Each store beside the others."""
    names = {0: i18n.text(ask.language, "No store"), **reading.stores(ask)}
    sold = reading.sales(ask, ask.period, ReportDesk.store_id)
    points = reading.flows(ask, ask.period, "store_id", "unit")
    people = monthly.by_store(ask.session, ask.place.programme_id, ask.period)
    rows: list[Sequence[Value]] = []
    for store, name in names.items():
        if ask.store_id not in {None, store} or (store == 0 and not sold.get((0,)) and not points.get((0, POINTS))):
            continue
        times, minor = sold.get((store,), (0, 0))
        moved = points[store, POINTS]
        who = people.get(store, monthly.Buyers())
        given, used = moved["issued"] + moved["returned"], -moved["redeemed"] - moved["given_back"]
        rows.append(
            (name, times, Units(minor, ask.currency), who.buyers, share(who.repeaters, who.buyers), given, used)
        )
    words = metrics.all_of(ask.language)
    columns = [
        Column(key="store", label=i18n.text(ask.language, "Store"), kind="text"),
        *(Column(key=name, label=words[name].title) for name in ("sales", "sales_amount", "buyers")),
        Column(key="repeat_rate", label=words["repeat_rate"].title, kind="share"),
        *(Column(key=name, label=words[name].title) for name in ("points_given", "points_used")),
    ]
    picture = Picture(
        kind="rows", across=[str(row[0]) for row in rows[:DRAWN_MOST]], axis=words["sales_amount"].title,
        series=[Series(name="", values=[row[2] for row in rows[:DRAWN_MOST]])],
    )  # fmt: skip
    now, before = store_figures(ask, ask.period), store_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def sales_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Purchases of a period and what was paid for them."""
    times, minor = reading.sold(ask, period)
    return {"sales": times, "sales_amount": Units(minor, ask.currency)}


def store_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """The same, and what was paid for a purchase in the mean."""
    return {**sales_figures(ask, period), "mean_sale": baskets.mean_sale(ask, period)}


def cashiers(ask: Ask) -> Outcome:
    """Each person and key beside the others: what they sold, gave, corrected and undid."""
    names, shops = _people(ask) | _machines(ask), {0: "", **reading.stores(ask)}
    rows: list[Sequence[Value]] = []
    for (store, actor), sums in sorted(_desks(ask).items(), key=lambda one: -one[1]["sale_minor"]):
        rows.append((
            names.get(actor, actor), shops.get(store, ""), sums["sales"], Units(sums["sale_minor"], ask.currency),
            Units(sums["returned_minor"], ask.currency), sums["points_granted"], sums["points_taken"],
            sums["corrections"], sums["undone"],
        ))  # fmt: skip
    words = metrics.all_of(ask.language)
    columns = [
        Column(key="cashier", label=i18n.text(ask.language, "Cashier"), kind="text"),
        Column(key="store", label=i18n.text(ask.language, "Store"), kind="text"),
        Column(key="sales", label=words["sales"].title),
        Column(key="sales_amount", label=words["sales_amount"].title),
        *(
            Column(key=name, label=words[name].title)
            for name in ("returned_amount", "points_granted", "points_taken", "corrections", "undone")
        ),
    ]
    picture = Picture(
        kind="rows", across=[str(row[0]) for row in rows[:DRAWN_MOST]], axis=words["sales"].title,
        series=[Series(name="", values=[row[2] for row in rows[:DRAWN_MOST]])],
    )  # fmt: skip
    return Outcome(columns=columns, rows=rows, picture=picture)


def offers(ask: Ask) -> Outcome:
    """From those who were looked at to those who used it, for each offer."""
    people = _runs(ask, ReportRun.offer_id)
    uses = _uses(ask)
    ids = sorted(({one for (one,) in people} - {0}) | uses.keys(), reverse=True)
    titles = _titles(ask, ids)
    rows: list[Sequence[Value]] = []
    for one in ids:
        found, used = people.get((one,), Counter()), uses.get(one, (0, 0))
        reach = [found[name] for name in ("planned", "eligible", "held_back", "sent", "suppressed")]
        rows.append((titles.get(one, ""), *reach, used[0], share(used[0], found["sent"]), Units(used[1], ask.currency)))
    words = metrics.all_of(ask.language)
    names = ("planned", "eligible", "held_back", "sent", "suppressed", "offer_uses")
    columns = [
        Column(key="offer", label=i18n.text(ask.language, "Offer"), kind="text"),
        *(Column(key=name, label=words[name].title) for name in names),
        Column(key="offer_redemption", label=words["offer_redemption"].title, kind="share"),
        Column(key="discounts", label=words["discounts"].title),
    ]
    total = sum(people.values(), Counter())
    whole = [*(total[name] for name in ("planned", "eligible", "sent")), sum(times for times, _ in uses.values())]
    picture = Picture(
        kind="rows", axis=i18n.text(ask.language, "All offers of the period together"),
        across=[words[name].title for name in ("planned", "eligible", "sent", "offer_uses")] if rows else [],
        series=[Series(name="", values=whole if rows else [])],
    )  # fmt: skip
    now, before = offer_figures(ask, ask.period), offer_figures(ask, ask.period.before)
    figures = [Figure(metric=name, value=now[name], before=before[name]) for name in now]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def offer_figures(ask: Ask, period: Period) -> dict[str, Value]:
    """Uses of offers in a period, and what they took off."""
    query = select(
        func.sum(ReportOffer.uses - ReportOffer.undone), func.sum(ReportOffer.cost_minor - ReportOffer.undone_minor)
    ).where(*_of(ask, ReportOffer, period))
    uses, minor = ask.session.execute(query).one()
    return {"offer_uses": int(uses or 0), "discounts": Units(int(minor or 0), ask.currency)}


def messages(ask: Ask) -> Outcome:
    """What became of everybody whom a campaign looked at; planned is sent, not sent and waiting together."""
    found = _runs(ask, ReportRun.campaign_id)
    titles = {
        row.id: row.name
        for row in ask.session.execute(select(Campaign.id, Campaign.name).where(Campaign.id.in_([k[0] for k in found])))
    }
    names = ("planned", "eligible", "held_back", "sent", "suppressed", "waiting")
    rows: list[Sequence[Value]] = [
        (titles.get(one, ""), *(sums[name] for name in names), _reasons(sums)) for (one,), sums in sorted(found.items())
    ]
    words = metrics.all_of(ask.language)
    why: Counter[str] = Counter()
    for sums in found.values():
        why.update({key.removeprefix("not:"): cards for key, cards in sums.items() if key.startswith("not:")})
    columns = [
        Column(key="campaign", label=i18n.text(ask.language, "Campaign"), kind="text"),
        *(Column(key=name, label=words[name].title) for name in names),
        Column(key="reasons", label=i18n.text(ask.language, "Reasons"), kind="text"),
    ]
    most = why.most_common(DRAWN_MOST)
    picture = Picture(
        kind="rows", across=[one for one, _ in most], axis=i18n.text(ask.language, "Why it was not sent"),
        series=[Series(name="", values=[cards for _, cards in most])], places="reason",
    )  # fmt: skip
    figures = [
        Figure(metric=name, value=sum(sums[name] for sums in found.values()))
        for name in ("planned", "sent", "suppressed")
    ]
    return Outcome(columns=columns, rows=rows, figures=figures, picture=picture)


def _runs(ask: Ask, by: Any) -> Desks:
    query = (
        select(by, ReportRun.state, ReportRun.arm, ReportRun.reason, func.sum(ReportRun.cards))
        .where(ReportRun.programme_id == ask.place.programme_id, ReportRun.day >= ask.period.first,
               ReportRun.day <= ask.period.last)
        .group_by(by, ReportRun.state, ReportRun.arm, ReportRun.reason)
    )  # fmt: skip
    found: Desks = defaultdict(Counter)
    for one, state, arm, reason, cards in ask.session.execute(query):
        name = "waiting" if state == "planned" else state
        sums = found[one,]
        sums.update({"planned": int(cards), name: int(cards)})
        sums["eligible"] += int(cards) if arm else 0
        sums["held_back"] += int(cards) if arm == "holdout" else 0
        if reason:
            sums[f"not:{reason}"] += int(cards)
    return found


def _reasons(sums: Counter[str]) -> Reasons:
    found = ((key.removeprefix("not:"), cards) for key, cards in sums.items() if key.startswith("not:"))
    return Reasons(tuple(sorted(found)))


def _uses(ask: Ask) -> dict[int, tuple[int, int]]:
    query = (
        select(ReportOffer.offer_id, func.sum(ReportOffer.uses - ReportOffer.undone),
               func.sum(ReportOffer.cost_minor - ReportOffer.undone_minor))
        .where(*_of(ask, ReportOffer, ask.period))
        .group_by(ReportOffer.offer_id)
    )  # fmt: skip
    return {one: (int(times), int(minor)) for one, times, minor in ask.session.execute(query)}


def _titles(ask: Ask, ids: Sequence[int]) -> dict[int, str]:
    query = select(Offer.id, Offer.title).where(Offer.id.in_(ids))
    return {row.id: row.title for row in ask.session.execute(query)}


def _desks(ask: Ask) -> Desks:
    query = (
        select(ReportDesk.store_id, ReportDesk.actor, ReportDesk.kind, ReportDesk.unit, func.sum(ReportDesk.units),
               func.sum(ReportDesk.entries), func.sum(ReportDesk.sales), func.sum(ReportDesk.sale_minor))
        .where(*_of(ask, ReportDesk, ask.period))
        .group_by(ReportDesk.store_id, ReportDesk.actor, ReportDesk.kind, ReportDesk.unit)
    )  # fmt: skip
    found: Desks = defaultdict(Counter)
    for store, actor, kind, unit, units, entries, sales, minor in ask.session.execute(query):
        sums = found[store, actor]
        sums["sales"] += int(sales)
        sums["sale_minor"] += int(minor)
        sums["returned_minor"] += -int(minor) if kind != "earn" else 0
        sums["corrections"] += int(entries) if kind == "adjust" else 0
        sums["undone"] += int(entries) if kind in {"reverse", "refund"} else 0
        if unit == POINTS:
            sums["points_granted"] += int(units) if kind == "earn" else 0
            sums["points_taken"] += -int(units) if kind in {"spend", "hold", "release"} else 0
    return found


def _people(ask: Ask) -> dict[str, str]:
    """Who stands behind the names of the ledger, for those who may know it."""
    if not ask.names_people:
        return {}
    return {f"staff:{row.public_id}": row.name for row in ask.session.execute(select(Staff.public_id, Staff.name))}


def _machines(ask: Ask) -> dict[str, str]:
    return {"system:time": i18n.text(ask.language, "Tessera, when the time came")}


def _of(ask: Ask, model: Any, period: Period) -> list[Any]:
    own = [model.programme_id == ask.place.programme_id, model.day >= period.first, model.day <= period.last]
    return own if ask.store_id is None else [*own, model.store_id == ask.store_id]
