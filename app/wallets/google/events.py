"""What a genuine callback changes: who holds the card. Applied once for each nonce."""

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from app.db import insert_if_new
from app.wallets.google.models import GoogleNonce, GoogleObject
from passes.google.callback import CallbackEvent, EventType


def apply(session: Session, event: CallbackEvent, *, now: datetime) -> bool:
    """Count a save or a removal; False if this very event was applied before or names no card of ours.

    The count never falls below nothing, because events may come in any order and may be lost.
    """
    if not insert_if_new(session, GoogleNonce, nonce=event.nonce, expires_at=event.expires_at):
        return False
    known = session.scalar(select(GoogleObject.id).where(GoogleObject.object_id == event.object_id))
    if known is None:
        return False
    session.execute(update(GoogleObject).where(GoogleObject.id == known).values(_change(event, now)))
    return True


def _change(event: CallbackEvent, now: datetime) -> dict[str, object]:
    if event.event is EventType.SAVE:
        return {"holders": GoogleObject.holders + 1, "has_users": True, "saved_at": now}
    fewer = case((GoogleObject.holders > 0, GoogleObject.holders - 1), else_=0)
    return {"holders": fewer, "has_users": case((GoogleObject.holders > 1, True), else_=False)}
