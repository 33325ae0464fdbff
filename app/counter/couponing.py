"""Using a unique code with a card: what it gives is given, and the code is used up, or neither."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves, offering, pricing, rewarding
from app.counter.moves import Actor, Done, Shop
from app.counter.rewarding import NO_WISH
from app.coupons import service as coupons
from app.coupons.service import Found
from app.earning import expiring
from app.earning.sale import Basket
from app.ledger import service as ledger
from app.ledger.held import Held
from app.offers import service as offers
from app.rewards import service as rewards
from app.rewards.models import Taking
from app.rewards.rules import Wish


@dataclass(frozen=True, kw_only=True)
class Used(Done):
    """A code as it was used. `gives`: reward, points or offer; `taking`: the reward, if it was one.

    `off_minor`: what its offer takes off the purchase, at most; None for nothing.
    """

    gives: str
    taking: Taking | None
    off_minor: int | None = None


def redeem_code(
    session: Session,
    card: Card | Held,
    found: Found,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    wish: Wish = NO_WISH,
) -> Used:
    """Use a code with a card; of many at once, with one card or with many, one gets it.

    The amount of *wish* is that of the purchase, for an offer as for a reward.

    Raises: Conflict `card_not_active`; as `coupons.service.use`; as the reward or the offer that it gives.
    """
    card = moves.usable(session, card, store)
    coupons.use(session, found, card_id=card.id, store_id=store.id if store else None, now=now)
    taking, off_minor = None, None
    if found.batch.gives == "points":
        done: Done = _give_points(session, card, found, by=by, now=now, store=store, receipt=receipt)
    elif found.batch.gives == "offer":
        offer = offers.by_id(session, found.batch.subject)
        basket = None if wish.basket_minor is None else Basket(amount_minor=wish.basket_minor)
        used = offering.redeem_offer(
            session, card, offer, by=by, now=now, store=store, receipt=receipt, basket=basket, has_code=True
        )
        done, off_minor = used, used.off_minor
    else:
        reward = rewards.by_public_id(session, found.batch.subject)
        free = Wish(**{**vars(wish), "is_free": True})
        given = rewarding.redeem_reward(session, card, reward, by=by, now=now, store=store, receipt=receipt, wish=free)
        done, taking = given, given.taking
    coupons.used_by(session, found, done.entry.id)
    kept = {name: getattr(done, name) for name in ("entry", "card", "balance", "tier")}
    return Used(**kept, gives=found.batch.gives, taking=taking, off_minor=off_minor)


def _give_points(
    session: Session, card: Held, found: Found, *, by: Actor, now: datetime, store: Shop | None, receipt: str | None
) -> Done:
    """They live as long as points that are earned today."""
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=f"code:{found.batch.public_id}")
    rules = pricing.version_for(session, card, now).rules
    expires_at = expiring.expires_at(rules.expiry, now, card.timezone)
    booked = ledger.credit(session, card, found.batch.points, by=told, expires_at=expires_at)
    return moves.done(session, booked.card, booked, now)
