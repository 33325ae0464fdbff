"""Cards that were joined: what was booked on one of them counts for the card that took it over.

The room that joins cards stands above this one; its table is named here by hand, and a test compares it with theirs.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import BigInteger, column, or_, select, table
from sqlalchemy.orm import Session

from app.db import Instant

CARD_MERGE = table(
    "card_merge",
    column("source_id", BigInteger),
    column("target_id", BigInteger),
    column("made_at", Instant),
    column("undone_at", Instant),
)
LONGEST_CHAIN = 100


def roots(session: Session, card_ids: Collection[int]) -> dict[int, int]:
    """For each card, the one that its bookings count for: itself, or the last of those that took it over."""
    found = {one: one for one in card_ids}
    for _step in range(LONGEST_CHAIN):
        query = select(CARD_MERGE.c.source_id, CARD_MERGE.c.target_id).where(
            CARD_MERGE.c.source_id.in_(set(found.values())), CARD_MERGE.c.undone_at.is_(None)
        )
        taken_over = {row[0]: row[1] for row in session.execute(query)}
        if not taken_over:
            break
        found = {one: taken_over.get(root, root) for one, root in found.items()}
    return found


def families(session: Session, root_ids: Collection[int]) -> Mapping[int, int]:
    """The cards that count for these, themselves included: card and root."""
    found = {one: one for one in root_ids}
    newest = set(root_ids)
    for _step in range(LONGEST_CHAIN):
        query = select(CARD_MERGE.c.source_id, CARD_MERGE.c.target_id).where(
            CARD_MERGE.c.target_id.in_(newest), CARD_MERGE.c.undone_at.is_(None)
        )
        more = {row[0]: found[row[1]] for row in session.execute(query) if row[0] not in found}
        if not more:
            break
        found |= more
        newest = set(more)
    return found


def changed_since(session: Session, since: datetime | None) -> set[int]:
    """The cards that were joined or parted since then."""
    query = select(CARD_MERGE.c.source_id, CARD_MERGE.c.target_id)
    if since is not None:
        query = query.where(or_(CARD_MERGE.c.made_at >= since, CARD_MERGE.c.undone_at >= since))
    return {card for row in session.execute(query) for card in row}
