"""Whom a change for many reaches, and how long it takes: said before it starts, and while it runs."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, column, func, select
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
class Crowd:
    """An audience: how many cards, and those of them to look at, which are all of a small one and a sample of a large.

    What is counted on the sample is right within some 3 %.
    """

    cards: int
    looked_at: Select[int]
    share: float

    @property
    def is_exact(self) -> bool:
        return self.share == 1.0

    def scaled(self, found: int) -> int:
        """What was counted on the cards looked at, for all of them."""
        return round(found / self.share)


@dataclass(frozen=True, kw_only=True)
class Wallets:
    """An audience's cards, the Apple phones that hold them, and those of them that are held in Google Wallet.

    `is_exact`: the wallets of a large audience are estimated from a sample; its cards are always counted.
    """

    cards: int
    apple_phones: int
    google_cards: int
    is_exact: bool


@dataclass(frozen=True, kw_only=True)
class Reach(Wallets):
    """Whom a change reaches, and how long it takes until the last phone is pushed and until Google was told all."""

    apple_seconds: int
    google_seconds: int

    @property
    def seconds(self) -> int:
        """How long the whole takes; both vendors are told at the same time."""
        return max(self.apple_seconds, self.google_seconds)


def crowd(session: Session, programme_id: int, tier_id: int | None) -> Crowd:
    """The audience of a programme, or of one of its tiers."""
    audience = ranges.audience(programme_id, tier_id)
    cards = session.scalar(select(func.count()).select_from(Card).where(*audience)) or 0
    if cards <= COUNTED_MOST:
        return Crowd(cards=cards, looked_at=select(Card.id).where(*audience), share=1.0)
    sample = _sample(session, programme_id, tier_id)
    return Crowd(cards=cards, looked_at=_these(session, sample), share=len(sample) / cards)


def wallets(session: Session, found: Crowd) -> Wallets:
    """In how many wallets of each vendor a crowd's cards are."""
    apple, google = _wallets(session, found.looked_at)
    return Wallets(
        cards=found.cards,
        apple_phones=found.scaled(apple),
        google_cards=found.scaled(google),
        is_exact=found.is_exact,
    )


def of(session: Session, programme_id: int, found: Crowd, settings: Settings) -> Reach:
    """Whom an offer reaches: each phone with Apple's wallet, and Google's holders through one call for each class."""
    held = wallets(session, found)
    classes = session.scalar(select(func.count()).where(GoogleClass.programme_id == programme_id)) or 0
    return Reach(
        **asdict(held),
        apple_seconds=_seconds(held.apple_phones, settings.bulk_apple_rate),
        google_seconds=_seconds(classes, _google_bulk_rate(settings)) if held.google_cards else 0,
    )


def seconds_left(session: Session, now: Progress, settings: Settings) -> int | None:
    """How long a running change still takes: what its phones owe and will owe, at the pace of each vendor.

    An offer reaches Google's holders through their classes; whatever else changes, changes each object. None: it has
    not begun, or has ended.
    """
    if now.state not in {"running", "paused"}:
        return None
    sample = _sample(session, now.programme_id, now.tier_id) if now.left else []
    apple, google = _wallets(session, _these(session, sample)) if now.left else (0, 0)
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


def _wallets(session: Session, cards: Select[int]) -> tuple[int, int]:
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
    place = _these(session, [chance.randint(low, high) for _ in range(SAMPLE_CARDS)]).subquery()
    first = select(func.min(Card.id)).where(*audience, Card.id >= place.c.id).correlate(place).scalar_subquery()
    return sorted({found for found in session.scalars(select(first).select_from(place)) if found is not None})


def _these(session: Session, ids: Sequence[int]) -> Select[int]:
    """A list of ids as rows, sent as one value: thousands of parameters took longer to write down than to look up."""
    if session.get_bind().dialect.name == "sqlite":
        rows: Any = func.json_each(json.dumps(list(ids))).table_valued(column("value", BigId), name="these")
        return select(rows.c.value.label("id"))
    return select(func.unnest(bindparam(None, list(ids), type_=ARRAY(BigInteger))).label("id"))
