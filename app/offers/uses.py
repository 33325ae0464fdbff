"""Uses of offers: reserved before a sale is booked, written down with it, and given back once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import rows_changed
from app.errors import Conflict
from app.offers import budgets, states
from app.offers.budgets import Share
from app.offers.models import Offer, Redemption

TAKEN = ("scheduled", "live", "ended")
"""States in which a use is taken; scheduled and ended only for the moment until the clock of offers has come round, or
for the grace: `refusals` has looked at the times."""
SPENT = "This offer is used up, or what is left of its budget is too little for this purchase."


@dataclass(frozen=True, kw_only=True)
class Use:
    """How often a card has used an offer, and when and at which store it did so last."""

    count: int
    last_at: datetime
    store_id: int | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A use that is wanted. `cost_minor` is what it costs in money, `points` what it gives; `day`: local, at the store.

    `least`: the least that any further use would take of a budget, by its measure: with less left, it is spent.
    """

    offer: Offer
    card_id: int
    day: str
    store_id: int | None = None
    cost_minor: int = 0
    points: int = 0
    least: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> Share:
        """What it takes of the budgets."""
        amounts = {"uses": 1, "points": self.points, "money": self.cost_minor}
        return Share(amounts=amounts, day=self.day, store_id=self.store_id, least=self.least)


def uses_by(session: Session, card_id: int, offers: Sequence[Offer]) -> dict[int, Use]:
    """What a card has used of these offers, by the offer's id, in one statement; none is asked for no offers."""
    if not offers:
        return {}
    counted = (
        select(func.count().label("count"), func.max(Redemption.id).label("last"))
        .where(
            Redemption.card_id == card_id,
            Redemption.offer_id.in_([offer.id for offer in offers]),
            Redemption.reversed_at.is_(None),
        )
        .group_by(Redemption.offer_id)
        .subquery()
    )
    query = select(Redemption.offer_id, counted.c.count, Redemption.at, Redemption.store_id)
    rows = session.execute(query.join(counted, counted.c.last == Redemption.id))
    return {offer: Use(count=count, last_at=at, store_id=store) for offer, count, at, store in rows}


def reserve(session: Session, claim: Claim, *, now: datetime) -> None:
    """Take one use, and its share of every budget, in the caller's transaction. Conditional updates decide between two
    tills, not a look beforehand; whoever is second is refused, and nothing of theirs is booked.

    Raises: Conflict `budget_spent`; `paused` or `ended`, if somebody changed the offer meanwhile.
    """
    offer = claim.offer
    counted = (
        update(Offer)
        .where(
            Offer.id == offer.id,
            Offer.state.in_(TAKEN),
            or_(Offer.limit_total.is_(None), Offer.used < Offer.limit_total),
        )
        .values(used=Offer.used + 1)
        .returning(Offer.used, Offer.limit_total)
        .execution_options(synchronize_session=False)
    )
    row = session.execute(counted).one_or_none()
    if row is None:
        session.refresh(offer)
        raise _lost(offer)
    if not budgets.take(session, offer, claim.share, now=now):
        raise Conflict("budget_spent", SPENT)
    if row.used == row.limit_total:
        budgets.pause(session, offer, now=now)


def note(session: Session, claim: Claim, *, entry_id: str, sale_id: str | None, now: datetime) -> Redemption:
    """Write down a reserved use; unique numbers see to it that a card has no more than it may.

    Raises: Conflict `already_used`.
    """
    redemption = Redemption(
        offer_id=claim.offer.id,
        card_id=claim.card_id,
        use_no=_last_use_no(session, claim.offer, claim.card_id) + 1,
        entry_id=entry_id,
        store_id=claim.store_id,
        at=now,
        sale_id=sale_id,
        cost_minor=claim.cost_minor,
        points=claim.points,
        day=claim.day,
    )
    try:
        with session.begin_nested():
            session.add(redemption)
    except IntegrityError as problem:
        raise Conflict("already_used", "This offer was used with this card already.") from problem
    return redemption


def of_sale(session: Session, sale_id: str) -> list[Redemption]:
    """The uses that came with a sale and were not given back."""
    query = select(Redemption).where(Redemption.sale_id == sale_id, Redemption.reversed_at.is_(None))
    return list(session.scalars(query.order_by(Redemption.offer_id)))


def give_back(session: Session, entry_id: str, *, now: datetime) -> None:
    """Undo the use that an entry recorded: the card, the total and the budgets get it back, once.

    An offer that was paused because they were spent goes on, if there is room again.
    """
    mine = (
        update(Redemption)
        .where(and_(Redemption.entry_id == entry_id, Redemption.reversed_at.is_(None)))
        .values(reversed_at=now)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, mine) != 1:
        return
    used = session.scalars(
        select(Redemption).where(Redemption.entry_id == entry_id).execution_options(populate_existing=True)
    ).one()
    counted = update(Offer).where(Offer.id == used.offer_id).values(used=Offer.used - 1)
    counted = counted.returning(Offer.paused_because).execution_options(synchronize_session=False)
    is_spent = session.scalar(counted) == "budget"
    amounts = {"uses": 1, "points": used.points, "money": used.cost_minor}
    budgets.release(session, used.offer_id, Share(amounts=amounts, day=used.day, store_id=used.store_id))
    if is_spent:
        states.resume_if_room(session, session.get_one(Offer, used.offer_id), now=now)


def _lost(offer: Offer) -> Conflict:
    if offer.state == "paused" and offer.paused_because != "budget":
        return Conflict("paused", "This offer is paused.")
    if offer.state in TAKEN or offer.state == "paused":
        return Conflict("budget_spent", SPENT)
    return Conflict("ended", "This offer has ended.")


def _last_use_no(session: Session, offer: Offer, card_id: int) -> int:
    query = select(func.max(Redemption.use_no)).where(Redemption.offer_id == offer.id, Redemption.card_id == card_id)
    return session.scalar(query) or 0
