"""A daily sample of what Google holds: one object in a thousand is read and compared with what was acknowledged.

Nobody is told when something else changes an object, and the API has no conditional write: looking is all there is.
"""

import logging
from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.clock import milliseconds
from app.db import rows_changed
from app.delivery import book
from app.outbox import pace
from app.outbox.models import Target
from app.outbox.pace import Pace
from app.outbox.rules import Lane
from app.outbox.service import sender_for
from app.wallets.google.client import shared_client
from app.wallets.google.models import GoogleObject
from app.world import World
from passes.google import answers, api, drift
from passes.google.ids import Kind, ResourceId
from passes.outcome import Outcome

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
ONE_IN = 1_000
KNOWN_ATTEMPT = 1  # the next claim is then not the first, and the object is written whole


def look_at_one(world: World) -> bool:
    """Read the object that was looked at longest ago, if today's sample is not complete; whether there was one.

    What differs is written whole again, counted, and an alarm. Two workers at once never look at the same object.
    """
    if not world.settings.google_ready:
        return False
    chosen = world.database.transact(lambda session: _choose(session, world))
    if chosen is None:
        return False
    read = shared_client(world).call(api.get(Kind.LOYALTY_OBJECT, ResourceId.parse(chosen.object_id)))
    if read.outcome is not Outcome.DELIVERED or chosen.sent is None:
        return True
    found = drift.drift(Kind.LOYALTY_OBJECT, chosen.sent, answers.resource(read))
    world.database.transact(lambda session: _note(session, chosen, [one.path for one in found], world.clock()))
    return True


def _choose(session: Session, world: World) -> GoogleObject | None:
    """The next object, marked as looked at; None when the day's sample is complete or others need the budget."""
    now = world.clock()
    known = session.scalar(select(func.count()).select_from(GoogleObject).where(GoogleObject.sent.is_not(None))) or 0
    looked = session.scalar(select(func.count()).select_from(GoogleObject).where(GoogleObject.looked_at > now - DAY))
    if not known or (looked or 0) >= -(-known // ONE_IN):
        return None
    rested = or_(GoogleObject.looked_at.is_(None), GoogleObject.looked_at <= now - DAY)
    oldest = select(GoogleObject).where(rested).order_by(GoogleObject.looked_at.nulls_first(), GoogleObject.id).limit(1)
    chosen = session.scalars(oldest).one_or_none()
    if chosen is None:
        return None
    budget = Pace(rate_per_s=world.settings.google_rate)
    sender = sender_for(session, "google", world.settings.google_issuer_id)
    if pace.reserve(session, sender.id, budget, count=1, lane=Lane.BULK, now_ms=milliseconds(now)) is None:
        return None
    mine = update(GoogleObject).where(GoogleObject.id == chosen.id, rested).values(looked_at=now)
    return chosen if rows_changed(session, mine.execution_options(synchronize_session=False)) else None


def _note(session: Session, chosen: GoogleObject, paths: list[str], now: datetime) -> None:
    verdict = "differs" if paths else "same"
    book.add(session, Counter({("drift", "google", verdict): 1}))
    if not paths:
        return
    log.error("Google holds something else than it acknowledged", extra={"paths": paths, "object": chosen.id})
    session.execute(
        update(Target)
        .where(
            Target.channel == "google", Target.address_id == chosen.id, Target.state != "gone",
            Target.want == Target.done, Target.done > 0,
        )
        .values(
            done=Target.done - 1, attempts=KNOWN_ATTEMPT, lane=int(Lane.NORMAL), not_before=milliseconds(now),
            dirty_since=milliseconds(now), state="live",
        )
        .execution_options(synchronize_session=False)
    )  # fmt: skip
