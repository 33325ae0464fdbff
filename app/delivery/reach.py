"""Whom a change for many reaches, and how long it takes: said before it starts, and while it runs."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, column, func, select, values
from sqlalchemy.orm import Session

from app.cards import ranges
from app.cards.expansion import Progress
from app.cards.models import Card
from app.db import BigId
from app.outbox.models import Target
from app.outbox.rules import RATE_SHARE_PERCENT, Lane
from app.settings import Settings
from app.wallets.google.models import GoogleClass, GoogleObject

COUNTED_MOST = 20_000
SAMPLE_CARDS = 2_000


@dataclass(frozen=True, kw_only=True)
class Reach:
    """An audience: its cards, the Apple phones that are pushed, and the cards held in Google Wallet.

    `is_exact`: the wallets of a large audience are estimated from a sample of its cards (within some 3 %); its cards
    are always counted. `apple_seconds`: until the last phone is pushed. `google_seconds`: until Google was told all.
    """

    cards: int
    apple_phones: int
    google_cards: int
    is_exact: bool
    apple_seconds: int
    google_seconds: int

    @property
    def seconds(self) -> int:
        """How long the whole takes; both vendors are told at the same time."""
        return max(self.apple_seconds, self.google_seconds)


def of(session: Session, programme_id: int, tier_id: int | None, settings: Settings) -> Reach:
    """Whom an offer reaches: each phone with Apple's wallet, and Google's holders through one call for each class."""
    audience = ranges.audience(programme_id, tier_id)
    cards = session.scalar(select(func.count()).select_from(Card).where(*audience)) or 0
    is_exact = cards <= COUNTED_MOST
    if is_exact:
        apple, google = _wallets(session, select(Card.id).where(*audience))
    else:
        sample = _sample(session, programme_id, tier_id)
        apple, google = (found * cards // len(sample) for found in _wallets(session, sample))
    classes = session.scalar(select(func.count()).where(GoogleClass.programme_id == programme_id)) or 0
    return Reach(
        cards=cards,
        apple_phones=apple,
        google_cards=google,
        is_exact=is_exact,
        apple_seconds=_seconds(apple, settings.bulk_apple_rate),
        google_seconds=_seconds(classes, _google_bulk_rate(settings)) if google else 0,
    )


def seconds_left(session: Session, now: Progress, settings: Settings) -> int | None:
    """How long a running change still takes: what its phones owe and will owe, at the pace of each vendor.

    An offer reaches Google's holders through their classes; whatever else changes, changes each object. None: it has
    not begun, or has ended.
    """
    if now.state not in {"running", "paused"}:
        return None
    sample = _sample(session, now.programme_id, now.tier_id)
    apple, google = _wallets(session, sample) if now.left and sample else (0, 0)
    if now.offer_id is not None:
        google = 0
    each = now.left / max(1, len(sample))
    own_pace_s = now.left / now.per_s if now.state == "running" and now.per_s > 0 else 0.0
    return max(
        _seconds(now.behind.apple + apple * each, settings.bulk_apple_rate),
        _seconds(now.behind.google + google * each, _google_bulk_rate(settings)),
        math.ceil(own_pace_s),
    )


def _seconds(count: float, rate: float) -> int:
    return math.ceil(count / rate)


def _google_bulk_rate(settings: Settings) -> float:
    return settings.google_rate * RATE_SHARE_PERCENT[Lane.BULK] / 100


def _wallets(session: Session, cards: Sequence[int] | Select[int]) -> tuple[int, int]:
    """How many Apple phones hold these cards, and how many of the cards are in Google Wallet."""
    apple = select(func.count()).where(Target.card_id.in_(cards), Target.channel == "apple", Target.state != "gone")
    is_held = (GoogleObject.holders > 0) | GoogleObject.has_users.is_(True)
    google = select(func.count()).where(GoogleObject.card_id.in_(cards), is_held)
    return session.scalar(apple) or 0, session.scalar(google) or 0


def _sample(session: Session, programme_id: int, tier_id: int | None) -> list[int]:
    """Cards of an audience, each the first at or after a random place between the least and the greatest id.

    The places are the same each time: a figure on a page must not flicker.
    """
    audience = ranges.audience(programme_id, tier_id)
    low, high = (session.scalar(select(end(Card.id)).where(*audience)) for end in (func.min, func.max))
    if low is None or high is None:
        return []
    chance = random.Random(programme_id)  # noqa: S311  a sample, not a secret
    places = [chance.randint(low, high) for _ in range(SAMPLE_CARDS)]
    place = values(column("id", BigId), name="place").data([(one,) for one in places]).cte("place")
    first = select(func.min(Card.id)).where(*audience, Card.id >= place.c.id).correlate(place).scalar_subquery()
    return sorted({found for found in session.scalars(select(first).select_from(place)) if found is not None})
