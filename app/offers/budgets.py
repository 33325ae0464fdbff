"""What offers may cost: uses, points and money, in all, by month, by day, and by store and day.

A use takes its share with a conditional UPDATE in the transaction of the sale, after the row of its offer; two tills
never get the same last unit. A warning is given once when 80 % are used. A budget for all time or for the month that
has no room for another use pauses its offer; `resume_paused` lets it go on when a month begins or uses came back. Those
of a day only refuse until the next one. A partly returned sale keeps what it took: only what is wholly undone gives its
uses and its money back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import localtime, money
from app.db import insert_if_new, table_of
from app.errors import Conflict, Sentence, Unprocessable
from app.offers import occurrences
from app.offers.drafts import BudgetDraft
from app.offers.models import Offer, OfferBudget, OfferBudgetUse, Redemption
from app.webhooks import kinds
from app.webhooks import service as webhooks

WARN_PERCENT = 80
PAUSES = ("all", "month")
_USE = table_of(OfferBudgetUse)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A budget at one moment: `used` of its `most` in the `period` that runs now; `room` is what is left."""

    budget_id: int
    measure: str
    period: str
    most: int
    used: int
    warned_at: datetime | None

    @property
    def percent(self) -> int:
        """How much of it is used, rounded down: 100 only when all of it is."""
        return min(100, self.used * 100 // self.most)

    @property
    def is_warned(self) -> bool:
        return self.used * 100 >= self.most * WARN_PERCENT


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one use takes of its offer's budgets, by their measure, on a local day at a store.

    `least`: the least that any further use would take: with less left, a budget is spent.
    """

    amounts: Mapping[str, int]
    day: str
    store_id: int | None
    least: Mapping[str, int] = field(default_factory=dict)


def day_of(at: datetime, zone: str) -> str:
    """The local day by which budgets count."""
    return localtime.wall_clock(at, zone).date().isoformat()


def key_of(period: str, day: str, store_id: int | None) -> str:
    """The name of the period that a day at a store belongs to."""
    return {"all": "", "month": day[:7], "day": day, "store_day": f"{day}/{store_id or 0}"}[period]


def of_offer(session: Session, offer_id: int) -> list[OfferBudget]:
    """An offer's budgets, in the order in which they are taken."""
    query = select(OfferBudget).where(OfferBudget.offer_id == offer_id).order_by(OfferBudget.id)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def standing(
    session: Session, offer_ids: Sequence[int], *, day: str, store_id: int | None
) -> dict[int, list[Standing]]:
    """How the budgets of some offers stand on a day at a store, by the offer's id, in one statement."""
    if not offer_ids:
        return {}
    keys = {key_of(period, day, store_id) for period in ("all", "month", "day", "store_day")}
    query = (
        select(OfferBudget, OfferBudgetUse)
        .outerjoin(
            OfferBudgetUse, (OfferBudgetUse.budget_id == OfferBudget.id) & OfferBudgetUse.period.in_(sorted(keys))
        )
        .where(OfferBudget.offer_id.in_(offer_ids))
        .order_by(OfferBudget.id)
        .execution_options(populate_existing=True)
    )
    found: dict[int, list[Standing]] = {}
    for budget, use in session.execute(query):
        found.setdefault(budget.offer_id, []).append(
            Standing(
                budget_id=budget.id,
                measure=budget.measure,
                period=budget.period,
                most=budget.most,
                used=use.used if use else 0,
                warned_at=use.warned_at if use else None,
            )
        )
    return found


def spent(session: Session, found: Sequence[Offer], store_id: int | None, day: str) -> set[int]:
    """Offers (by id) of which some budget has nothing left."""
    standings = standing(session, [one.id for one in found], day=day, store_id=store_id)
    return {offer_id for offer_id, rows in standings.items() if any(one.used >= one.most for one in rows)}


def has_room(rows: Sequence[Standing], amounts: Mapping[str, int]) -> bool:
    """Whether so much still fits into every budget."""
    return all(one.used + amounts.get(one.measure, 0) <= one.most for one in rows)


def take(session: Session, offer: Offer, share: Share, *, now: datetime) -> bool:
    """Take a use's share of every budget; False if one of them has less left, and the caller undoes the rest.

    The caller holds the offer's row, so that nobody changes the budgets meanwhile.
    """
    for budget in of_offer(session, offer.id):
        amount = share.amounts[budget.measure]
        if not amount:
            continue
        period = key_of(budget.period, share.day, share.store_id)
        insert_if_new(session, OfferBudgetUse, budget_id=budget.id, period=period, used=0)
        moved = (
            update(_USE)
            .where(_USE.c.budget_id == budget.id, _USE.c.period == period, _USE.c.used + amount <= budget.most)
            .values(used=_USE.c.used + amount)
            .returning(_USE.c.used, _USE.c.warned_at)
        )
        row = session.execute(moved).one_or_none()
        if row is None:
            return False
        if row.warned_at is None and row.used * 100 >= budget.most * WARN_PERCENT:
            _warn(session, offer, budget, period, row.used, now)
        if budget.period in PAUSES and budget.most - row.used < max(1, share.least.get(budget.measure, 1)):
            pause(session, offer, now=now)
    return True


def release(session: Session, offer_id: int, share: Share) -> None:
    """Give a use's share of every budget back. The caller has seen to it that this happens once."""
    for budget in of_offer(session, offer_id):
        amount, period = share.amounts[budget.measure], key_of(budget.period, share.day, share.store_id)
        back = update(_USE).where(_USE.c.budget_id == budget.id, _USE.c.period == period, _USE.c.used >= amount)
        session.execute(back.values(used=_USE.c.used - amount))


def pause(session: Session, offer: Offer, *, now: datetime) -> None:
    """Pause an offer whose budget is spent; it leaves the cards at the next turn of the clock of offers."""
    paused = (
        update(Offer)
        .where(Offer.id == offer.id, Offer.state == "live")
        .values(state="paused", paused_because="budget")
        .returning(Offer.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(paused) is not None:
        occurrences.due(session, offer.id, "pause", at=now)


def replace_all(session: Session, offer: Offer, wanted: Sequence[BudgetDraft]) -> None:
    """Give an offer these budgets and no others. What was used so far counts for them, whenever they were set.

    Raises: Unprocessable `budget_below_use`, if less is allowed than was used already.
    """
    session.scalars(select(Offer.id).where(Offer.id == offer.id).with_for_update()).one()
    before = {(one.measure, one.period): one for one in of_offer(session, offer.id)}
    for at, one in enumerate(wanted):
        used = used_by_period(session, offer.id, one.measure, one.period)
        highest = max(used.values(), default=0)
        if one.most < highest:
            shown = money.decimal_text(highest, offer.programme.currency) if one.measure == "money" else highest
            text = Sentence("%(used)s were used already; the budget cannot be lower.", used=shown)
            raise Unprocessable("budget_below_use", text, errors={f"budgets.{at}.most": text})
        kept = before.pop((one.measure, one.period), None)
        if kept is not None:
            _raised(session, kept, one.most)
            continue
        made = OfferBudget(offer_id=offer.id, measure=one.measure, period=one.period, most=one.most)
        session.add(made)
        session.flush()
        for period, amount in used.items():
            session.add(OfferBudgetUse(budget_id=made.id, period=period, used=amount))
    for gone in before.values():
        session.execute(_USE.delete().where(_USE.c.budget_id == gone.id))
        session.delete(gone)
    session.flush()


def used_by_period(session: Session, offer_id: int, measure: str, period: str) -> dict[str, int]:
    """What was used of an offer in each period, net of what was taken back, from the uses themselves."""
    amount = {"uses": func.count(), "points": func.sum(Redemption.points), "money": func.sum(Redemption.cost_minor)}
    query = (
        select(Redemption.day, Redemption.store_id, amount[measure])
        .where(Redemption.offer_id == offer_id, Redemption.reversed_at.is_(None))
        .group_by(Redemption.day, Redemption.store_id)
    )
    found: dict[str, int] = {}
    for day, store_id, used in session.execute(query):
        if used:
            key = key_of(period, day, store_id)
            found[key] = found.get(key, 0) + int(used)
    return found


def check_room(session: Session, offer: Offer, least: Mapping[str, int], *, day: str) -> None:
    """See that an offer has room for another use: in all, in all time and in the month.

    Raises: Conflict `budget_spent`.
    """
    if is_used_up(offer):
        raise Conflict("budget_spent", "It was used as often as it may be in all; raise that limit first.")
    rows = [one for one in standing(session, [offer.id], day=day, store_id=None).get(offer.id, [])
            if one.period in PAUSES]  # fmt: skip
    if not has_room(rows, {measure: max(1, least.get(measure, 1)) for measure in ("uses", "points", "money")}):
        raise Conflict("budget_spent", "Its budget is spent; raise the budget first.")


def is_used_up(offer: Offer) -> bool:
    """Whether all the uses that it may have were had."""
    return offer.limit_total is not None and offer.used >= offer.limit_total


def differences(session: Session) -> list[str]:
    """Budgets that do not say what the uses of their offers sum to."""
    found = []
    for budget in session.scalars(select(OfferBudget).order_by(OfferBudget.id)):
        used = used_by_period(session, budget.offer_id, budget.measure, budget.period)
        rows = session.execute(select(_USE.c.period, _USE.c.used).where(_USE.c.budget_id == budget.id))
        kept = {period: amount for period, amount in rows if amount}
        if kept != used:
            found.append(f"budget {budget.id} of offer {budget.offer_id} says {kept}, its uses sum to {used}")
    return found


def _raised(session: Session, budget: OfferBudget, most: int) -> None:
    """A budget with another limit warns again, if it has not reached 80 % of it."""
    budget.most = most
    again = update(_USE).where(_USE.c.budget_id == budget.id, _USE.c.used * 100 < most * WARN_PERCENT)
    session.execute(again.values(warned_at=None))


def _warn(session: Session, offer: Offer, budget: OfferBudget, period: str, used: int, now: datetime) -> None:
    once = update(_USE).where(_USE.c.budget_id == budget.id, _USE.c.period == period)
    session.execute(once.values(warned_at=now))
    data = {
        "offer": offer.public_id, "measure": budget.measure, "period": budget.period, "used": used,
        "most": budget.most,
    }  # fmt: skip
    webhooks.announce(session, programme_id=offer.programme_id, kind=kinds.OFFER_BUDGET, data=data, now=now)
