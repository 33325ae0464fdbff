"""What a genuine callback changes: who holds the card. Applied once for each nonce."""

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.wallets.google.models import GoogleNonce, GoogleObject
from passes.google.callback import CallbackEvent, EventType


def apply(session: Session, event: CallbackEvent, *, now: datetime) -> bool:
    """Count a save or a removal; False if this very event was applied before or names no card of ours.

    The count never falls below nothing, because events may come in any order and may be lost.
    """
    made = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    nonce = made.insert(GoogleNonce).values(nonce=event.nonce, expires_at=event.expires_at)
    if session.scalar(nonce.on_conflict_do_nothing().returning(GoogleNonce.nonce)) is None:
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
