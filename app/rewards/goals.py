"""What members save for: chosen, shown on the card, and perhaps a longer life for the points."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import Session

from app import localtime
from app.cards.models import Card
from app.db import insert_if_new, rows_changed
from app.errors import Conflict
from app.ledger import expiry
from app.ledger.held import POINTS, Held
from app.ledger.models import Account, Lot
from app.rewards.models import Goal, Reward


def choose(session: Session, card: Held, reward: Reward, *, by: str, now: datetime) -> Goal:
    """Let a held card save for a reward, instead of what it saved for before; its points may live longer from now on.

    Raises: Conflict `not_eligible`, unless points buy the reward.
    """
    if reward.programme_id != card.programme_id or not reward.active or reward.unit != POINTS or reward.flexible:
        raise Conflict("not_eligible", "Choose a reward of this programme that points buy.")
    drop(session, card)
    until = None
    if reward.goal_days is not None:
        day = localtime.wall_clock(now, card.timezone).date() + timedelta(days=reward.goal_days)
        until = localtime.end_of_day(day, card.timezone)
    insert_if_new(session, Goal, card_id=card.id, reward_id=reward.id, chosen_at=now, chosen_by=by, keeps_until=until)
    if until is not None:
        _lengthen(session, card, until)
    return session.get_one(Goal, card.id, populate_existing=True)


def drop(session: Session, card: Held) -> bool:
    """Save for nothing in particular; whether there was a goal. Points that were given a longer life keep it."""
    return rows_changed(session, delete(Goal).where(Goal.card_id == card.id)) == 1


def of_card(session: Session, card_id: int) -> tuple[Goal, Reward] | None:
    """What a card saves for, while it is in the catalogue."""
    query = select(Goal, Reward).join(Reward, Reward.id == Goal.reward_id)
    row = session.execute(query.where(Goal.card_id == card_id, Reward.active)).one_or_none()
    return (row[0], row[1]) if row else None


def keep(session: Session, card: Held, *, now: datetime) -> int:
    """Give points that were earned since a goal was chosen, and would expire before it does, its longer life."""
    goal = session.get(Goal, card.id, populate_existing=True)
    if goal is None or goal.keeps_until is None or goal.keeps_until <= now:
        return 0
    return _lengthen(session, card, goal.keeps_until)


def cards_to_keep(session: Session, *, now: datetime, after: int, limit: int) -> list[int]:
    """Cards, by rising id from the one after *after* on, with points that would expire before their goal does."""
    query = (
        select(Goal.card_id)
        .join(Card, Card.id == Goal.card_id)
        .join(Account, and_(Account.member_id == Card.member_id, Account.unit == POINTS, Account.role == "avail"))
        .join(Lot, and_(Lot.account_id == Account.id, Lot.remaining > 0, Lot.expires_at < Goal.keeps_until))
        .where(Goal.card_id > after, Goal.keeps_until > now)
    )
    return list(session.scalars(query.distinct().order_by(Goal.card_id).limit(limit)))


def _lengthen(session: Session, card: Held, until: datetime) -> int:
    account = card.accounts.get((POINTS, "avail"))
    if account is None:
        return 0
    lots = session.scalars(
        select(Lot.id).where(Lot.account_id == account.id, Lot.remaining > 0, Lot.expires_at < until)
    )
    return expiry.lengthen(session, list(lots), until)
