"""What an offer did, counted from what happened: nothing is estimated, and what cannot be known is not said."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.cards.models import Card, Expansion
from app.clock import milliseconds
from app.offers.models import Occurrence, Offer, Redemption
from app.outbox.models import Target
from app.wallets.google.models import GoogleMessage, GoogleObject


@dataclass(frozen=True, kw_only=True)
class Results:
    """Figures of one offer at one moment.

    `audience`: cards it is for. `changed`: cards that were given it at its start. `apple_phones`: Apple wallets among
    them, of which `apple_told` were pushed since and `apple_fetched` have downloaded what they were told of.
    `google_holders`: cards in Google wallets, reached by the classes that show it; `google_classes` of them were told,
    `google_alerted` with a sound. `late_s`: how late the start fired, counted from when it was known.
    """

    audience: int
    changed: int
    apple_phones: int
    apple_told: int
    apple_fetched: int
    google_holders: int
    google_classes: int
    google_alerted: int
    redeemed: int
    taken_back: int
    fired_at: datetime | None
    late_s: float | None


def of(session: Session, offer: Offer) -> Results:
    """Count one offer's results."""
    start = session.scalars(
        select(Occurrence).where(Occurrence.offer_id == offer.id, Occurrence.kind == "start")
    ).one_or_none()
    fired_at = start.fired_at if start and start.status == "fired" else None
    spread = session.scalars(
        select(Expansion).where(Expansion.offer_id == offer.id, Expansion.reason == "offer_started")
    ).first()
    told, fetched, phones = _apple(session, offer, fired_at)
    classes, alerted = _google_messages(session, offer)
    return Results(
        audience=session.scalar(select(func.count()).select_from(Card).where(*_audience(offer))) or 0,
        changed=spread.touched if spread else 0,
        apple_phones=phones,
        apple_told=told,
        apple_fetched=fetched,
        google_holders=_google_holders(session, offer),
        google_classes=classes,
        google_alerted=alerted,
        redeemed=_redemptions(session, offer, reversed_too=False),
        taken_back=_redemptions(session, offer, reversed_too=True) - _redemptions(session, offer, reversed_too=False),
        fired_at=fired_at,
        late_s=(fired_at - max(start.fire_at, offer.created_at)).total_seconds() if start and fired_at else None,
    )


def _audience(offer: Offer) -> list[ColumnElement[bool]]:
    members: list[ColumnElement[bool]] = [Card.programme_id == offer.programme_id, Card.status == "active"]
    return [*members, Card.tier_id == offer.tier_id] if offer.tier_id is not None else members


def _apple(session: Session, offer: Offer, fired_at: datetime | None) -> tuple[int, int, int]:
    since = milliseconds(fired_at) if fired_at else 2**62
    told = Target.told_at >= since
    query = (
        select(
            func.count().filter(told),
            func.count().filter(told, Target.fetched >= Target.done),
            func.count(),
        )
        .select_from(Target)
        .join(Card, Card.id == Target.card_id)
        .where(Target.channel == "apple", Target.state != "gone", *_audience(offer))
    )
    row = session.execute(query).one()
    return int(row[0]), int(row[1]), int(row[2])


def _google_holders(session: Session, offer: Offer) -> int:
    query = select(func.count()).select_from(GoogleObject).join(Card, Card.id == GoogleObject.card_id)
    held = query.where((GoogleObject.holders > 0) | GoogleObject.has_users.is_(True), *_audience(offer))
    return session.scalar(held) or 0


def _google_messages(session: Session, offer: Offer) -> tuple[int, int]:
    query = select(func.count(), func.count().filter(GoogleMessage.alerted)).where(GoogleMessage.offer_id == offer.id)
    row = session.execute(query).one()
    return int(row[0]), int(row[1])


def _redemptions(session: Session, offer: Offer, *, reversed_too: bool) -> int:
    query = select(func.count()).select_from(Redemption).where(Redemption.offer_id == offer.id)
    if not reversed_too:
        query = query.where(Redemption.reversed_at.is_(None))
    return session.scalar(query) or 0
