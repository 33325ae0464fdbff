"""Which version of a card was handed out lately: a phone that registers next holds it and needs no push."""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, bindparam, case, select, type_coerce
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import Database, insert_for
from app.lookup import Lookup
from app.wallets.apple.models import Issue

REMEMBERED = timedelta(hours=1)
_KNOWN = Lookup(select(Issue.version, type_coerce(Issue.at, BigInteger)).where(Issue.card_id == bindparam("card_id")))


def note(database: Database, card_id: int, version: int, signed_with: str, now: datetime) -> None:
    """A holder downloaded this version. Where several go out within the hour the oldest counts, because nobody knows
    which of them will register, and where: every process must know it, so it is a row. Written once an hour at most.

    Raises: OperationalError or Busy, if the database has no time for it.
    """
    known = _KNOWN.one(database, card_id=card_id)
    if known is not None and known[0] <= version and known[1] > milliseconds(now - REMEMBERED):
        return
    database.transact(lambda session: _write(session, card_id, version, signed_with, now))


def oldest(session: Session, card_id: int, now: datetime) -> int | None:
    """The oldest version handed out within the hour; None if nobody knows."""
    found = session.get(Issue, card_id)
    return found.version if found and found.at > now - REMEMBERED else None


def signed_with(session: Session, card_id: int) -> str:
    """The certificate that signed the file a holder downloaded lately; empty if nobody knows."""
    found = session.get(Issue, card_id)
    return found.signed_with if found else ""


def _write(session: Session, card_id: int, version: int, signed_with: str, now: datetime) -> None:
    is_over = Issue.at <= now - REMEMBERED
    insert = insert_for(session, Issue).values(card_id=card_id, version=version, at=now, signed_with=signed_with)
    newer = {
        "version": case((is_over | (Issue.version > version), version), else_=Issue.version),
        "signed_with": signed_with,
        "at": case((is_over, milliseconds(now)), else_=type_coerce(Issue.at, BigInteger)),
    }
    session.execute(insert.on_conflict_do_update(index_elements=["card_id"], set_=newer))
