"""Reports by name: what there is, and one of them for some days."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n
from app.cards.models import Programme, Store
from app.errors import Forbidden, NotFound, Sentence, Unprocessable
from app.reports import as_of, baskets, buying, joining, metrics, moving, overview, owing, periods, selling, valuing
from app.reports.as_of import Part
from app.reports.metrics import Metric
from app.reports.outcome import Ask, Outcome, Report
from app.reports.reading import MOVEMENTS
from app.reports.touched import Place

ABOUT_PEOPLE = ("manager",)
"""Roles that read about those who work here; the owner does too."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A report that there is. `by_store`: it can be asked for one store. `parts`: what it is read from."""

    name: str
    title: str
    about: str
    work: Callable[[Ask], Outcome]
    metrics: tuple[str, ...] = ()
    by_store: bool = True
    about_people: bool = False
    parts: tuple[Part, ...] = (Part.DAYS,)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A report as it was asked for: days as texts such as 2026-11-20, the store by its id; None: the usual."""

    name: str
    first: str | None = None
    last: str | None = None
    store: str | None = None
    language: str = "en"
    names_people: bool = False


@cache
def kinds(language: str) -> dict[str, Kind]:
    """All reports by name, in the order in which they are shown."""
    found = [*_of_members(language), *_of_units(language), *_of_sales(language)]
    return {one.name: one for one in found}


def definitions(kind: Kind, language: str) -> list[Metric]:
    """The metrics that a report shows."""
    known = metrics.all_of(language)
    return [known[name] for name in kind.metrics]


def report(session: Session, programme: Programme, wish: Wish, *, now: datetime) -> Report:
    """One report. Without anything to show it is empty, and what cannot be reckoned is None.

    Raises: NotFound `unknown_report`; Forbidden `role_too_small`; Unprocessable `invalid_period`, `unknown_store` or
    `not_by_store`.
    """
    kind = kinds(wish.language).get(wish.name)
    if kind is None:
        raise NotFound("unknown_report", Sentence("There is no such report; the list of reports names them all."))
    if kind.about_people and not wish.names_people:
        raise Forbidden("role_too_small", Sentence("This report is about people who work here; managers may read it."))
    place = Place.of(programme, now)
    period = periods.read(wish.first, wish.last, today=place.today)
    store_id = _store(session, programme, kind, wish.store)
    ask = Ask(
        session=session, place=place, period=period, currency=programme.currency, language=wish.language,
        worth=valuing.worth(session, programme), store_id=store_id, names_people=wish.names_people,
    )  # fmt: skip
    holds_today = period.first <= place.today <= period.last
    return Report(
        name=kind.name, title=kind.title, ask=ask, outcome=kind.work(ask), built_at=as_of.built_at(ask, kind.parts),
        incomplete_on=place.today if holds_today else None, definitions=kind.metrics,
    )  # fmt: skip


def _store(session: Session, programme: Programme, kind: Kind, name: str | None) -> int | None:
    if not name:
        return None
    found = session.scalar(select(Store.id).where(Store.programme_id == programme.id, Store.public_id == name))
    if found is None:
        told = Sentence("There is no such store in this programme; choose one of its stores.")
        raise Unprocessable("unknown_store", told, errors={"store": told})
    if not kind.by_store:
        told = Sentence("This report is about all stores together; leave the store out.")
        raise Unprocessable("not_by_store", told, errors={"store": told})
    return found


def _of_members(language: str) -> list[Kind]:
    def _(message: str) -> str:
        return i18n.text(language, message)

    return [
        Kind(name="overview", title=_("Overview"), about=_("The figures that matter, each beside the period before."),
             work=overview.overview, metrics=overview.METRICS),
        Kind(name="members", title=_("Members"), about=_("Who joined, who is active, who has the card in a wallet."),
             work=joining.members, parts=(Part.DAYS, Part.MONTHS),
             metrics=("enrolments", "active_members", "installed", "active_cards", "install_rate")),
        Kind(name="wallets", title=_("Wallets"), about=_("Installs and uninstalls by wallet."), work=joining.wallets,
             metrics=("installs", "uninstalls", "net_installs", "uninstall_rate")),
        Kind(name="repeat", title=_("Repeat purchases"), about=_("Who comes again, and how often."),
             work=buying.repeat, parts=(Part.DAYS, Part.MONTHS),
             metrics=("buyers", "repeaters", "repeat_rate", "sales", "frequency", "median_gap")),
        Kind(name="cohorts", title=_("Second purchases"), work=buying.second_purchases, metrics=("cohort_repeat",),
             about=_("By month of the first purchase: how many came again within so many days."), by_store=False,
             parts=(Part.SWEEP,)),
        Kind(name="rfm", title=_("Recency, frequency, spend"), about=_("Members by fifths, the best first."),
             work=buying.rfm, by_store=False),
        Kind(name="tiers", title=_("Tiers"), about=_("Moves between tiers, and who stands where."),
             work=joining.tiers, metrics=("tier_moves_up", "tier_moves_down")),
    ]  # fmt: skip


def _of_units(language: str) -> list[Kind]:
    def _(message: str) -> str:
        return i18n.text(language, message)

    rates = ("redemption_rate", "outstanding")
    return [
        Kind(name="units", title=_("Points and other units"), about=_("What was issued, used, lost and corrected."),
             work=moving.units, metrics=(*MOVEMENTS, *rates)),
        Kind(name="holds", title=_("Set aside"), about=_("Units that were reserved, used and let go."),
             work=moving.holds, metrics=("holds_placed", "holds_used", "holds_released")),
        Kind(name="redemption", title=_("Points by month of issue"), about=_("What became of the points of a month."),
             work=owing.cohorts, metrics=("redemption_rate_cohort", "breakage"), by_store=False,
             parts=(Part.SWEEP,)),
        Kind(name="liability", title=_("Liability"), about=_("What outstanding points will cost, and money owed."),
             work=owing.liability, metrics=("outstanding", "liability", "money_owed")),
        Kind(name="deferral", title=_("Deferred revenue"), work=owing.deferral, by_store=False,
             parts=(Part.DAYS, Part.SWEEP),
             about=_("Which part of sales belongs to points still to be used. Not legal advice."),
             metrics=("sales_amount", "issued", "deferred", "revenue_now", "redeemed", "recognised")),
        Kind(name="finance", title=_("Monthly file for finance"), work=moving.finance, metrics=moving.FINANCE,
             about=_("Opening, movements and closing for each month, unit and store; it adds up.")),
        Kind(name="cost", title=_("Cost of the programme"), about=_("Redeemed points and discounts, in money."),
             work=owing.cost, metrics=("programme_cost", "discounts", "sales_amount", "cost_rate")),
    ]  # fmt: skip


def _of_sales(language: str) -> list[Kind]:
    def _(message: str) -> str:
        return i18n.text(language, message)

    return [
        Kind(name="offers", title=_("Offers"), about=_("From those who were looked at to those who used it."),
             work=selling.offers,
             metrics=("planned", "eligible", "held_back", "sent", "suppressed", "offer_uses", "offer_redemption",
                      "discounts")),
        Kind(name="messages", title=_("Messages"), about=_("Planned, sent, and why the others were not."),
             work=selling.messages, by_store=False,
             metrics=("planned", "eligible", "held_back", "sent", "suppressed", "waiting")),
        Kind(name="stores", title=_("Stores"), about=_("Each store beside the others."), work=selling.stores,
             metrics=("sales", "sales_amount", "mean_sale", "buyers", "repeat_rate", "points_given", "points_used")),
        Kind(name="cashiers", title=_("Cashiers"), about=_("What each person sold, gave, corrected and undid."),
             work=selling.cashiers, about_people=True,
             metrics=("sales", "sales_amount", "returned_amount", "points_granted", "points_taken", "corrections",
                      "undone")),
        Kind(name="value", title=_("Value of a member"), about=_("The plainest of estimates, and named one."),
             work=baskets.value, metrics=("mean_sale", "sales_per_year", "clv"), by_store=True),
    ]  # fmt: skip


def store_choices(session: Session, programme: Programme) -> Mapping[str, str]:
    """The stores by id, for a choice."""
    query = select(Store.public_id, Store.name).where(Store.programme_id == programme.id).order_by(Store.name)
    return {row.public_id: row.name for row in session.execute(query)}
