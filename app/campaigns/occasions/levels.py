"""What is said about tiers: that a higher one was reached, and that one is about to be lost."""

from datetime import timedelta

from sqlalchemy import BigInteger, column, func, select, table
from sqlalchemy.orm import Session, aliased

from app.campaigns.occasions import told
from app.campaigns.occasions.due import Asked, Due, Found
from app.cards.models import Card, Tier
from app.clock import milliseconds
from app.tiers import ladder as ladders
from app.tiers import standings
from app.tiers.ladder import Ladder, Record
from app.tiers.models import CardStanding

REACHED_WITHIN = timedelta(days=3)
# the database writes them as cards move; their model lives with the reports, above this room
MOVES = table("tier_move", column("programme_id"), column("card_id"), column("from_id"), column("to_id"),
              column("at", BigInteger))  # fmt: skip


def reached(session: Session, asked: Asked) -> Found:
    """Cards that came to a higher tier in the last days and have it still, once for each tier."""
    before, after = aliased(Tier), aliased(Tier)
    start = max(asked.since, asked.now - REACHED_WITHIN)
    query = (
        select(Card.id, Card.tier_id)
        .join(MOVES, MOVES.c.card_id == Card.id)
        .join(after, after.id == MOVES.c.to_id)
        .outerjoin(before, before.id == MOVES.c.from_id)
        .where(
            *asked.cards,
            MOVES.c.programme_id == asked.programme_id,
            MOVES.c.at > milliseconds(start),
            MOVES.c.at <= milliseconds(asked.now),
            Card.tier_id == MOVES.c.to_id,
            func.coalesce(before.position, -1) < after.position,
            after.threshold_minor > 0,
        )
        .distinct()
    )
    rows = session.execute(query.order_by(Card.id).limit(asked.limit)).all()
    said = told.of_cards(session, [asked.campaign_id], [card for card, _tier in rows])
    due = [
        Due(card_id=card, occasion=f"tier:{tier}", local=asked.local(asked.today))
        for card, tier in rows
        if all(f"tier:{tier}" != one for one, _at in said.get(card, ()))
    ]
    return asked.found(due, [card for card, _tier in rows])


def ending(session: Session, asked: Asked) -> Found:
    """Cards whose tier ends within the days named unless something is bought, once for each end. Said late it is said
    as long as the tier lasts."""
    last = asked.today + timedelta(days=asked.trigger.whole("days"))
    ends = func.coalesce(CardStanding.grace_to, CardStanding.valid_to)
    query = (
        select(Card.id)
        .join(CardStanding, CardStanding.card_id == Card.id)
        .where(
            *asked.cards,
            CardStanding.programme_id == asked.programme_id,
            CardStanding.due_on <= last + timedelta(days=1),
            ends >= asked.today,
            ends <= last,
        )
    )
    cards = list(session.scalars(query.order_by(Card.id).limit(asked.limit)))
    if not cards:
        return Found(due=[])
    ladder = standings.ladder_of(session, asked.programme_id)
    records = standings.of_cards(session, ladder, cards)
    said = told.of_cards(session, [asked.campaign_id], cards)
    due = []
    for card in cards:
        occasion = _ending(ladder, records[card], asked)
        if occasion and all(occasion != one for one, _at in said.get(card, ())):
            due.append(Due(card_id=card, occasion=occasion, local=asked.local(asked.today)))
    return asked.found(due, cards)


def _ending(ladder: Ladder, record: Record, asked: Asked) -> str:
    """The occasion, if something is missing to keep the tier; empty, if a tier given by hand lasts longer anyway."""
    now_so = ladders.settled(ladder, record, asked.today)
    missing = ladders.projected(ladder, now_so, asked.today)
    standing = now_so.standing
    if not missing.to_keep or missing.keep_by is None:
        return ""
    if now_so.grant and now_so.grant.place >= standing.place and now_so.grant.to > missing.keep_by:
        return ""
    tier = ladder.tier(standing.place)
    return f"tier_ending:{tier.id}:{missing.keep_by.isoformat()}" if tier else ""
