"""What offers did, counted from what happened; what cannot be known is not said.

Of a large audience the phones are counted on a sample of its cards (`delivery.reach`), and shown as such: two joins
over a million rows for each offer of a list would keep a page, and its database, busy for seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards.models import Expansion
from app.cards.ranges import Audience
from app.clock import milliseconds
from app.delivery import reach
from app.delivery.reach import Crowd
from app.offers.audience import whom
from app.offers.models import Occurrence, Offer, Redemption
from app.outbox.models import Target
from app.wallets.google.models import GoogleMessage

Row = TypeVar("Row", Occurrence, Expansion)


@dataclass(frozen=True, kw_only=True)
class Results:
    """Figures of one offer at one moment.

    `audience`: cards it is for; `is_exact`: whether the phones among them are counted, or estimated from a sample.
    `changed`: cards that were given it at its start. `apple_phones`: Apple wallets among them, of which `apple_told`
    were pushed since and `apple_fetched` have downloaded what they were told of. `google_holders`: cards in Google
    wallets, reached by the classes that show it; `google_classes` of them were told, `google_alerted` with a sound.
    `late_s`: how late the start fired, counted from when it was known.
    """

    audience: int
    is_exact: bool
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


@dataclass(frozen=True, kw_only=True)
class _Crowd:
    """An audience with the Apple phones that were looked at: when each was told last, and whether it fetched since."""

    crowd: Crowd
    google_holders: int
    phones: Sequence[tuple[int, bool]]


def of(session: Session, offer: Offer, audience: Crowd) -> Results:
    """Count one offer's results; *audience* is the offer's."""
    return _of(session, [offer], {whom(offer): audience})[offer.id]


def of_all(session: Session, found: Sequence[Offer]) -> dict[int, Results]:
    """Count the results of several offers, by offer id; each audience is looked at once."""
    audiences = {whom(one) for one in found}
    return _of(session, found, {one: reach.crowd(session, one) for one in audiences})


def _of(session: Session, found: Sequence[Offer], audiences: Mapping[Audience, Crowd]) -> dict[int, Results]:
    ids = [offer.id for offer in found]
    crowds = {one: _crowd(session, crowd) for one, crowd in audiences.items()}
    starts = _by_offer(session, ids, Occurrence, kind="start")
    spreads = _by_offer(session, ids, Expansion, reason="offer_started")
    messages, uses = _google_messages(session, ids), _redemptions(session, ids)
    return {
        offer.id: _results(
            offer,
            crowds[whom(offer)],
            starts.get(offer.id),
            spreads.get(offer.id),
            messages=messages.get(offer.id, (0, 0)),
            uses=uses.get(offer.id, (0, 0)),
        )
        for offer in found
    }


def _results(
    offer: Offer,
    seen: _Crowd,
    start: Occurrence | None,
    spread: Expansion | None,
    *,
    messages: tuple[int, int],
    uses: tuple[int, int],
) -> Results:
    fired_at = start.fired_at if start and start.status == "fired" else None
    since = milliseconds(fired_at) if fired_at else 2**62
    told = [has_fetched for told_at, has_fetched in seen.phones if told_at >= since]
    return Results(
        audience=seen.crowd.cards,
        is_exact=seen.crowd.is_exact,
        changed=spread.touched if spread else 0,
        apple_phones=seen.crowd.scaled(len(seen.phones)),
        apple_told=seen.crowd.scaled(len(told)),
        apple_fetched=seen.crowd.scaled(sum(told)),
        google_holders=seen.google_holders,
        google_classes=messages[0],
        google_alerted=messages[1],
        redeemed=uses[0] - uses[1],
        taken_back=uses[1],
        fired_at=fired_at,
        late_s=(fired_at - max(start.fire_at, offer.created_at)).total_seconds() if start and fired_at else None,
    )


def _crowd(session: Session, found: Crowd) -> _Crowd:
    phones = select(Target.told_at, Target.fetched >= Target.done).where(
        Target.card_id.in_(found.looked_at), Target.channel == "apple", Target.state != "gone"
    )
    return _Crowd(
        crowd=found,
        google_holders=reach.wallets(session, found).google_cards,
        phones=[(row[0], bool(row[1])) for row in session.execute(phones)],
    )


def _by_offer(session: Session, ids: Sequence[int], model: type[Row], **only: str) -> Mapping[int, Row]:
    query = select(model).where(model.offer_id.in_(ids)).filter_by(**only).order_by(model.id.desc())
    return {row.offer_id: row for row in session.scalars(query) if row.offer_id is not None}


def _google_messages(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Classes that were told of each offer, and those of them with an alert."""
    alerted = func.count().filter(GoogleMessage.alerted)
    query = select(GoogleMessage.offer_id, func.count(), alerted).where(GoogleMessage.offer_id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in session.execute(query.group_by(GoogleMessage.offer_id))}


def _redemptions(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Uses of each offer, and those of them that were taken back."""
    taken_back = func.count().filter(Redemption.reversed_at.is_not(None))
    query = select(Redemption.offer_id, func.count(), taken_back).where(Redemption.offer_id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in session.execute(query.group_by(Redemption.offer_id))}
