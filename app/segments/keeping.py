"""Keeps who is in the segments that cards or rules of earning ask about, and tells cards that entered or left.

Who is in now is compared with who is kept: only the difference is written, in chunks, each in a transaction of its
own. Two processes at once, or one that was killed, come to the same. Tills ask live (`service.is_in`), so what is kept
may be a minute behind.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Select, delete, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card
from app.clock import milliseconds
from app.db import insert_for
from app.gate import Priority
from app.outbox import service as outbox
from app.outbox.service import Lane
from app.segments import service, uses
from app.segments.models import Segment, SegmentMember
from app.segments.outside import OFFER
from app.world import World

EVERY = timedelta(seconds=60)
UNUSED_FOR = timedelta(hours=1)
COUNTED_FOR = timedelta(hours=1)
COUNTED_AT_ONCE = 10
AT_ONCE = 20_000
CHUNK = 500


def follow(world: World, *, chunk: int = CHUNK) -> int:
    """Bring every kept segment up to date whose turn has come; how many cards entered or left."""
    now = world.clock()
    ids = world.database.transact(partial(_choose, now=now), priority=Priority.BULK)
    moved = sum(_bring_up(world, one, chunk) for one in ids)
    _count_others(world, now)
    return moved


def forget(session: Session, card_id: int) -> None:
    """Take a card out of everything that is kept: its person was erased."""
    session.execute(delete(SegmentMember).where(SegmentMember.card_id == card_id))


def _choose(session: Session, now: datetime) -> list[int]:
    """Keep what is asked about from now on, and no longer what is not; the segments that are due."""
    for segment in session.scalars(select(Segment).where(Segment.state == "live").order_by(Segment.id)):
        is_needed = uses.is_kept_for(session, segment)
        if is_needed and not segment.kept:
            service.keep(session, segment, now=now)
        elif segment.kept and not is_needed and now - segment.changed_at > UNUSED_FOR:
            segment.kept, segment.kept_at = False, None
    session.flush()
    has_rows = exists(select(1).where(SegmentMember.segment_id == Segment.id))
    due = or_(Segment.kept_at.is_(None), Segment.kept_at <= now - EVERY)
    query = select(Segment.id).where(or_(Segment.kept & due, not_(Segment.kept) & has_rows))
    return list(session.scalars(query.order_by(Segment.id)))


def _count_others(world: World, now: datetime) -> None:
    """Count those that are not kept once an hour, for the list of segments."""
    with world.database.reading() as session:
        old = or_(Segment.counted_at.is_(None), Segment.counted_at <= now - COUNTED_FOR)
        query = select(Segment.id, Segment.revision).where(Segment.state == "live", not_(Segment.kept), old)
        found = session.execute(query.order_by(Segment.counted_at, Segment.id).limit(COUNTED_AT_ONCE)).all()
    for segment_id, revision in found:
        with world.database.reading() as session:
            segment = session.get_one(Segment, segment_id)
            cards_in = service.count(session, segment.programme_id, service.rule_of(session, segment), now=now).cards
        note = partial(_note_count, segment_id=segment_id, revision=revision, cards_in=cards_in, now=now)
        world.database.transact(note, priority=Priority.BULK)


def _note_count(session: Session, segment_id: int, revision: int, cards_in: int, now: datetime) -> None:
    wanted = update(Segment).where(Segment.id == segment_id, Segment.revision == revision)
    session.execute(wanted.values(counted=cards_in, counted_at=now).execution_options(synchronize_session=False))


def _bring_up(world: World, segment_id: int, chunk: int) -> int:
    """Write the difference of one segment, entrants first."""
    now, moved = world.clock(), 0
    with world.database.reading() as session:
        segment = session.get_one(Segment, segment_id)
        revision = segment.revision
    for entering in (True, False):
        after = 0
        while True:
            with world.database.reading() as session:
                found = list(session.scalars(_difference(session, segment_id, after, entering=entering, now=now)))
            for start in range(0, len(found), chunk):
                ids = found[start : start + chunk]
                write = partial(_write, segment_id=segment_id, revision=revision, ids=ids, entering=entering, now=now)
                if not world.database.transact(write, priority=Priority.BULK):
                    return moved  # its rules were changed meanwhile: its turn comes again
                moved += len(ids)
            if len(found) < AT_ONCE:
                break
            after = found[-1]
    world.database.transact(partial(_done, segment_id=segment_id, revision=revision, now=now), priority=Priority.BULK)
    return moved


def _difference(session: Session, segment_id: int, after: int, *, entering: bool, now: datetime) -> Select[int]:
    segment = session.get_one(Segment, segment_id)
    fits: list[ColumnElement[bool]] = [Card.id < 0]
    if segment.kept and segment.state == "live":
        fits = service.audience(session, segment.programme_id, segment=segment, now=now)
    kept = SegmentMember
    if entering:
        is_kept = exists(select(1).where(kept.card_id == Card.id, kept.segment_id == segment_id).correlate(Card))
        query = select(Card.id).where(*fits, not_(is_kept), Card.id > after)
        return query.order_by(Card.id).limit(AT_ONCE)
    still = exists(select(1).select_from(Card).where(Card.id == kept.card_id, *fits).correlate(kept))
    gone = select(kept.card_id).where(kept.segment_id == segment_id, kept.card_id > after, not_(still))
    return gone.order_by(kept.card_id).limit(AT_ONCE)


def _write(
    session: Session, segment_id: int, revision: int, ids: Sequence[int], *, entering: bool, now: datetime
) -> bool:
    """Let these cards in or out, and tell those that were not so already; False if the rules are others by now."""
    segment = session.get_one(Segment, segment_id, with_for_update=True)
    if segment.revision != revision:
        return False
    mine = (SegmentMember.segment_id == segment_id, SegmentMember.card_id.in_(ids))
    there = set(session.scalars(select(SegmentMember.card_id).where(*mine)))
    changed = [one for one in ids if (one in there) is not entering]
    if entering and changed:
        rows = [{"segment_id": segment_id, "card_id": one} for one in changed]
        session.execute(insert_for(session, SegmentMember).on_conflict_do_nothing(), rows)
    elif changed:
        session.execute(delete(SegmentMember).where(*mine))
    if changed and _has_live_offer(session, segment_id):
        _tell(session, changed, now)
    return True


def _has_live_offer(session: Session, segment_id: int) -> bool:
    live = select(OFFER.c.id).where(
        OFFER.c.segment_id == segment_id, OFFER.c.audience == "segment", OFFER.c.state == "live"
    )
    return session.scalar(live.limit(1)) is not None


def _tell(session: Session, ids: Sequence[int], now: datetime) -> None:
    """Raise the versions of cards on which an offer appears, or from which it goes."""
    valid = select(Card.id).where(Card.id.in_(ids), Card.status == "active").order_by(Card.id)
    locked = list(session.scalars(valid.with_for_update(of=Card)))
    raised = (
        update(Card)
        .where(Card.id.in_(locked))
        .values(version=Card.version + 1, modified_at=cards.next_modified(now))
        .returning(Card.id, Card.version)
    )
    rows = session.execute(raised.execution_options(synchronize_session=False)).all()
    outbox.raise_wants(session, [(row[0], row[1]) for row in rows], lane=Lane.BULK, now_ms=milliseconds(now))


def _done(session: Session, segment_id: int, revision: int, now: datetime) -> None:
    segment = session.get_one(Segment, segment_id, with_for_update=True)
    if segment.revision == revision and segment.kept:
        members = select(func.count()).where(SegmentMember.segment_id == segment_id)
        segment.kept_at = segment.counted_at = now
        segment.counted = session.execute(members).scalar_one()
        session.flush()
