"""What points buy: a number of points, or a reward of the catalogue."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.errors import Conflict
from app.ledger import service as ledger
from app.ledger.held import Held
from app.ledger.models import Reward


def redeem_points(
    session: Session,
    card: Card | Held,
    points: int,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    note: str = "",
) -> Done:
    """Use up points.

    Raises: Conflict `card_not_active`; Unprocessable `insufficient` or `invalid_points`.
    """
    card = moves.usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=note)
    booked = ledger.spend(session, card, points, by=told)
    return moves.done(session, booked.card, booked, now)


def redeem_reward(
    session: Session,
    card: Card | Held,
    reward: Reward,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
) -> Done:
    """Buy a reward with points.

    Raises: as `redeem_points`, and Conflict `not_eligible`, if the reward is withdrawn or another programme's.
    """
    card = moves.held(session, card)
    if reward.programme_id != card.programme_id or not reward.active:
        raise Conflict("not_eligible", "This reward cannot be bought with this card.")
    return redeem_points(
        session, card, reward.points, by=by, now=now, store=store, receipt=receipt, note=f"reward:{reward.public_id}"
    )
