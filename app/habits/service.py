"""What is known of how cards are used, and where their people live by the clock."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Member, Programme, Store
from app.habits import sums
from app.habits.models import Habit


def of_card(session: Session, card_id: int) -> Habit | None:
    """How a card is used; None if nothing was ever bought with it, or it is nobody's."""
    return session.get(Habit, card_id)


def forget(session: Session, card_id: int) -> None:
    """Drop what is known of how a person used their card; its days stay with their entries, and name nobody."""
    sums.forget(session, [card_id])


def zone_sql() -> ColumnElement[str]:
    """The zone of a card's member, as a column of a statement that selects from `Card`.

    What they chose themselves; else that of the store they use most, of the store where they joined, of the programme.
    """
    used = select(Store.timezone).join(Habit, Habit.store_id == Store.id).where(Habit.card_id == Card.id)
    home = select(Store.timezone).join(Member, Member.home_store_id == Store.id).where(Member.id == Card.member_id)
    chosen = select(func.nullif(Member.timezone, "")).where(Member.id == Card.member_id)
    programme = select(Programme.timezone).where(Programme.id == Card.programme_id)
    return func.coalesce(*(one.correlate(Card).scalar_subquery() for one in (chosen, used, home, programme)))


def store_sql() -> ColumnElement[int | None]:
    """The store of a card's member, as a column of a statement that selects from `Card`: used most, else of joining."""
    used = select(Habit.store_id).where(Habit.card_id == Card.id)
    home = select(Member.home_store_id).where(Member.id == Card.member_id)
    return func.coalesce(*(one.correlate(Card).scalar_subquery() for one in (used, home)))


def zone_of(session: Session, card_id: int) -> str:
    """The zone of one card's member, as `zone_sql`."""
    return session.execute(select(zone_sql()).select_from(Card).where(Card.id == card_id)).scalar_one()
