"""Targeted offers in members' hands: each with a time of its own, at whose end it is taken off the card."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card
from app.db import insert_for, rows_changed, table_of
from app.errors import Conflict
from app.offers import states
from app.offers.models import Offer, OfferGrant
from app.outbox.service import Lane
from app.world import World

CHUNK = 200
ROWS = 500
_GRANT = table_of(OfferGrant)
_ORDER: Any = (_GRANT.c.ends_at, _GRANT.c.card_id)


def give(
    session: Session,
    offer: Offer,
    card_ids: Sequence[int],
    *,
    starts_at: datetime,
    ends_at: datetime,
    run_id: int | None,
    now: datetime,
) -> int:
    """Put a targeted offer into the hands of these cards, from when until when each of them may use it; how many.

    The times are cut to the offer's own. A card that has it already keeps the earlier start and the later end: giving
    twice changes nothing. The caller touches the cards.

    Raises: Conflict `not_targeted`, if the offer is not given one by one; `offer_over`, if nothing of its time is left.
    """
    if offer.audience != "targeted":
        raise Conflict("not_targeted", "This offer is not given member by member; choose its audience first.")
    starts, ends = max(starts_at, offer.starts_at), min(ends_at, offer.ends_at)
    if ends <= max(starts, now):
        raise Conflict("offer_over", "Nothing of the time of this offer is left.")
    for at in range(0, len(card_ids), ROWS):
        rows = [
            {"card_id": card_id, "offer_id": offer.id, "run_id": run_id, "starts_at": starts, "ends_at": ends,
             "closed": False, "withheld": False}
            for card_id in card_ids[at : at + ROWS]
        ]  # fmt: skip
        statement = insert_for(session, OfferGrant).values(rows)
        new = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["card_id", "offer_id"],
                set_={
                    "starts_at": case((_GRANT.c.starts_at < new.starts_at, _GRANT.c.starts_at), else_=new.starts_at),
                    "ends_at": case((_GRANT.c.ends_at > new.ends_at, _GRANT.c.ends_at), else_=new.ends_at),
                    "run_id": func.coalesce(new.run_id, _GRANT.c.run_id),
                    "closed": False,
                    "withheld": False,
                },
            )
        )
    return len(card_ids)


def revoke(session: Session, offer: Offer, card_id: int, *, now: datetime) -> bool:
    """Take a targeted offer out of one card's hands; whether it had it. The caller touches the card."""
    mine = update(_GRANT).where(_GRANT.c.card_id == card_id, _GRANT.c.offer_id == offer.id, _GRANT.c.closed.is_(False))
    ends = literal(now, _GRANT.c.ends_at.type)
    over = case((_GRANT.c.ends_at > ends, ends), else_=_GRANT.c.ends_at)
    return rows_changed(session, mine.values(closed=True, ends_at=over)) == 1


def close_due(world: World) -> int:
    """Take offers off the cards whose own time with them is over, and let budgets that have room again give; how many.

    A job: some cards in each transaction, each told once, however late it runs and whoever else runs it.
    """
    closed = 0
    while found := world.database.transact(lambda session: _close(session, now=world.clock())):
        closed += found
    world.database.transact(lambda session: states.resume_paused(session, now=world.clock()))
    return closed


def _close(session: Session, *, now: datetime) -> int:
    query = select(_GRANT.c.card_id, _GRANT.c.offer_id).where(_GRANT.c.closed.is_(False), _GRANT.c.ends_at <= now)
    due = session.execute(query.order_by(*_ORDER).limit(CHUNK)).all()
    card_ids = sorted({row.card_id for row in due})
    query_cards = select(Card).where(Card.id.in_(card_ids)).order_by(Card.id).with_for_update(of=Card)
    for card in session.scalars(query_cards):
        mine = [row.offer_id for row in due if row.card_id == card.id]
        closing = update(_GRANT).where(
            _GRANT.c.card_id == card.id,
            _GRANT.c.offer_id.in_(mine),
            _GRANT.c.closed.is_(False),
            _GRANT.c.ends_at <= now,
        )
        if rows_changed(session, closing.values(closed=True)):
            cards.touch(session, card, lane=Lane.BULK, now=now)
    gone = update(_GRANT).where(
        _GRANT.c.card_id.in_(card_ids), _GRANT.c.closed.is_(False), _GRANT.c.ends_at <= now,
        _GRANT.c.card_id.not_in(select(Card.id).where(Card.id.in_(card_ids))),
    )  # fmt: skip
    session.execute(gone.values(closed=True))
    return len(due)
