"""What a genuine callback changes: who holds the card. Applied once for each nonce."""

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from app.cards import holding
from app.clock import milliseconds
from app.db import insert_if_new
from app.outbox.models import Target
from app.outbox.rules import Lane
from app.wallets.google.models import GoogleNonce, GoogleObject
from passes.google.callback import CallbackEvent, EventType


def apply(session: Session, event: CallbackEvent, *, now: datetime) -> bool:
    """Count a save or a removal; False if this very event was applied before or names no card of ours.

    The count never falls below nothing, because events may come in any order and may be lost.
    """
    if not insert_if_new(session, GoogleNonce, nonce=event.nonce, expires_at=event.expires_at):
        return False
    wanted = select(GoogleObject.id, GoogleObject.card_id, GoogleObject.holders)
    known = session.execute(wanted.where(GoogleObject.object_id == event.object_id).with_for_update()).one_or_none()
    if known is None:
        return False
    session.execute(update(GoogleObject).where(GoogleObject.id == known.id).values(_change(event, now)))
    if event.event is EventType.SAVE:
        _catch_up(session, known.id, milliseconds(now))
        if known.holders == 0:
            holding.installed(session, known.card_id, wallet="google", now=now)
    elif known.holders == 1:
        holding.uninstalled(session, known.card_id, wallet="google", now=now)
    return True


def _catch_up(session: Session, object_id: int, now_ms: int) -> None:
    """Compare once more: while nobody held the card, bulk changes were not written to it."""
    session.execute(
        update(Target)
        .where(
            Target.channel == "google", Target.address_id == object_id, Target.state == "live",
            Target.want == Target.done, Target.done > 0,
        )
        .values(done=Target.done - 1, lane=int(Lane.URGENT), not_before=now_ms, dirty_since=now_ms)
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def _change(event: CallbackEvent, now: datetime) -> dict[str, object]:
    if event.event is EventType.SAVE:
        return {"holders": GoogleObject.holders + 1, "has_users": True, "saved_at": now}
    fewer = case((GoogleObject.holders > 0, GoogleObject.holders - 1), else_=0)
    return {"holders": fewer, "has_users": case((GoogleObject.holders > 1, True), else_=False)}
