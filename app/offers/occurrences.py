"""Instants at which something happens to an offer: one row for each kind, which can be due again."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db import insert_for
from app.offers.models import Occurrence


def due(
    session: Session, offer_id: int, kind: str, *, at: datetime, deadline: datetime | None = None, local_key: str = ""
) -> None:
    """Let something happen at an instant, if it is not over at *deadline*; one that was to happen before is moved."""
    values = {
        "fire_at": at, "deadline": deadline, "local_key": local_key, "status": "due", "fired_at": None,
    }  # fmt: skip
    statement = insert_for(session, Occurrence).values(offer_id=offer_id, kind=kind, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["offer_id", "kind"], set_=values))


def call_off(session: Session, offer_id: int) -> set[str]:
    """Let nothing more happen by itself; what was still to happen."""
    waiting = update(Occurrence).where(Occurrence.offer_id == offer_id, Occurrence.status == "due")
    return set(session.scalars(waiting.values(status="cancelled").returning(Occurrence.kind)))
