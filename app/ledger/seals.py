"""Seals: digests over blocks of entries, which show that whole cards or their last entries are missing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.ledger import chain
from app.ledger.models import Entry, Seal

SEAL_AFTER = timedelta(minutes=10)
SEAL_AT_MOST = 50_000
LOCK = 7_365_740


def seal(session: Session, *, now: datetime) -> bool:
    """Seal the entries that are older than ten minutes, at most 50,000 at once; whether there were any.

    Ids sort by time, and no transaction lives for ten minutes, so none can come late and lie below a seal.
    """
    if session.get_bind().dialect.name == "postgresql":
        # two that seal at once would both begin after the same seal
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    last = session.scalars(select(Seal).order_by(Seal.id.desc()).limit(1)).one_or_none()
    query = (
        select(Entry.id, Entry.hash)
        .where(Entry.recorded_at <= now - SEAL_AFTER, Entry.id > (last.last_entry_id if last else ""))
        .order_by(Entry.id)
        .limit(SEAL_AT_MOST)
    )
    found = session.execute(query).all()
    if not found:
        return False
    digest = chain.sealed(last.hash if last else chain.GENESIS, [row.hash for row in found])
    session.add(Seal(last_entry_id=found[-1].id, entries=len(found), hash=digest, made_at=now))
    session.flush()
    return True


def broken(session: Session) -> Iterator[str]:
    """Seals that are not those of the entries they cover, in words."""
    before, after = chain.GENESIS, ""
    for one in session.scalars(select(Seal).order_by(Seal.id)).all():
        query = select(Entry.hash).where(Entry.id > after, Entry.id <= one.last_entry_id).order_by(Entry.id)
        hashes = list(session.scalars(query))
        if len(hashes) != one.entries:
            yield f"seal {one.id} covers {one.entries} entries up to {one.last_entry_id}; there are {len(hashes)}"
        elif chain.sealed(before, hashes) != one.hash:
            yield f"seal {one.id}: an entry after {after or 'the first'}, up to {one.last_entry_id}, is another one"
        before, after = one.hash, one.last_entry_id
