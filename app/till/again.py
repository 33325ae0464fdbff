"""What the cashier reads when a card has earned a moment ago."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n
from app.fraud import rules
from app.ledger.models import Entry
from app.till.desk import Desk


def said(session: Session, desk: Desk, entry: Entry, language: str) -> tuple[str, ...]:
    """One line, if the card's purchase before this one is only minutes older."""
    soon_min = rules.read(desk.programme.limits).soon_min
    if entry.kind != "earn" or not soon_min:
        return ()
    before = (
        select(Entry.recorded_at)
        .where(
            Entry.card_id == entry.card_id,
            Entry.recorded_at > entry.recorded_at - timedelta(minutes=soon_min),
            Entry.seq < entry.seq,
            Entry.kind == "earn",
            Entry.part_of_id.is_(None),
        )
        .order_by(Entry.seq.desc())
        .limit(1)
    )
    last_at = session.scalar(before)
    if last_at is None:
        return ()
    minutes = int((entry.recorded_at - last_at).total_seconds() // 60)
    if not minutes:
        return (i18n.text(language, "This card earned less than a minute ago."),)
    return (i18n.text(language, "This card earned %(minutes)s min ago.", minutes=minutes),)
