"""Messages leave the cards in silence when their time is over; what Google shows leaves there by itself."""

from datetime import UTC, datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.campaigns import bulk
from app.campaigns.models import CardMessage
from app.cards import expansion
from app.cards.models import Card
from app.clock import milliseconds
from app.delivery import turns
from app.delivery.turns import Mine
from app.gate import Priority
from app.outbox import service as outbox
from app.outbox.service import Lane
from app.world import World

NAME = "message_ends"
EVERY_MS = 10_000
HELD_MS = 120_000
CHUNK = 200
CHUNKS_AT_ONCE = 5_000
GOOGLE = ("google",)
PLACE = tuple_(CardMessage.ends_at, CardMessage.card_id)


def follow(world: World, *, pause_rows: int = expansion.PAUSE_ROWS, chunk: int = CHUNK) -> int:
    """Touch the cards whose message ended since the last turn, in the order of their ends; how many.

    A job: each chunk moves the mark with it, so one that is killed goes on where it was. It waits while the phones have
    enough to catch up with.
    """
    if turns.take(world, NAME, every_ms=EVERY_MS) is None:
        return 0
    touched = 0
    for _ in range(CHUNKS_AT_ONCE):
        found = world.database.transact(
            lambda session: _chunk(session, chunk, now=world.clock(), pause_rows=pause_rows), priority=Priority.BULK
        )
        touched += found
        if found < chunk:
            break
    return touched


def _chunk(session: Session, chunk: int, *, now: datetime, pause_rows: int) -> int:
    cursor, note = turns.place_of(session, NAME)
    after = (datetime.fromtimestamp(cursor / 1000, UTC), int(note.get("card", 0)))
    over = select(CardMessage.ends_at, CardMessage.card_id).where(after < PLACE, CardMessage.ends_at <= now)
    rows = session.execute(over.order_by(CardMessage.ends_at, CardMessage.card_id).limit(chunk)).all()
    mine, soon_ms = Mine(name=NAME, cursor=cursor, note=note), milliseconds(now) + EVERY_MS
    if not rows or _is_too_far_behind(session, rows[0].card_id, pause_rows):
        turns.finish(session, mine, due_ms=soon_ms)
        return 0
    ids = sorted(row.card_id for row in rows)
    bulk.touch(session, ids, now=now)
    cards = [outbox.CARD.c.id.in_(bulk.these(session, ids)), outbox.CARD.c.status == "active"]
    outbox.raise_want_range(session, cards, lane=Lane.BULK, now_ms=milliseconds(now), unaltered=GOOGLE, window_ms=0)
    last, is_full = rows[-1], len(rows) == chunk
    turns.finish(
        session,
        mine,
        cursor=milliseconds(last.ends_at),
        note={"card": last.card_id},
        due_ms=milliseconds(now) + HELD_MS if is_full else soon_ms,
    )
    return len(rows)


def _is_too_far_behind(session: Session, card_id: int, pause_rows: int) -> bool:
    programme_id = session.scalar(select(Card.programme_id).where(Card.id == card_id))
    return programme_id is not None and expansion.backlog(session, programme_id, limit=pause_rows).most >= pause_rows
