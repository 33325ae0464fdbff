"""Whom a change for many reaches, and how long it takes: said before it starts, and while it runs."""

import json
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, column, func, select
from sqlalchemy.orm import Session

from app.cards import ranges
from app.cards.expansion import Progress
from app.cards.models import Card
from app.cards.ranges import Audience
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

    What is counted on the sample is right within some 3 %. `is_listed`: its cards are named one by one, by a segment or
    by grants.
    """

    cards: int
    looked_at: Select[int]
    share: float
    is_listed: bool = False

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


def crowd(session: Session, whom: Audience) -> Crowd:
    """An audience, counted; of a large one a sample to look at."""
    audience = ranges.audience(whom)
    cards = session.scalar(select(func.count()).select_from(Card).where(*audience)) or 0
    is_listed = whom.listed is not None
    if cards <= COUNTED_MOST:
        return Crowd(cards=cards, looked_at=select(Card.id).where(*audience), share=1.0, is_listed=is_listed)
    sample = _sample(session, whom)
    return Crowd(cards=cards, looked_at=_these(session, sample), share=len(sample) / cards, is_listed=is_listed)


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
    """Whom an offer reaches: each phone with Apple's wallet, and Google's holders through one call for each class, or
    for each card where it is for some of a tier's members."""
    held = wallets(session, found)
    calls = held.google_cards if found.is_listed else classes_of(session, programme_id)
    return Reach(
        **asdict(held),
        apple_seconds=_seconds(held.apple_phones, settings.bulk_apple_rate),
        google_seconds=_seconds(calls, _google_bulk_rate(settings)) if held.google_cards else 0,
    )


def classes_of(session: Session, programme_id: int, tiers: Collection[int] = ()) -> int:
    """How many classes of a programme Google has, of some tiers if given."""
    query = select(func.count()).where(GoogleClass.programme_id == programme_id)
    return session.scalar(query.where(GoogleClass.tier_id.in_(tiers)) if tiers else query) or 0


def seconds_left(session: Session, now: Progress, settings: Settings) -> int | None:
    """How long a running change still takes: what its phones owe and will owe, at the pace of each vendor.

    What stands on Google's classes changes no object. None: it has not begun, or has ended.
    """
    if now.state not in {"running", "paused"}:
        return None
    sample = _sample(session, now.whom) if now.left else []
    apple, google = _wallets(session, _these(session, sample)) if now.left else (0, 0)
    if not now.tells_google:
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


def _sample(session: Session, whom: Audience) -> list[int]:
    """Cards of an audience, each the first at or after a random place between the least and the greatest id.

    The places are the same each time: a figure on a page must not flicker.
    """
    first, last = (ranges.end_of(whom, end) for end in (func.min, func.max))
    low, high = session.scalar(first), session.scalar(last)
    if low is None or high is None:
        return []
    chance = random.Random(whom.programme_id)  # noqa: S311  a sample, not a secret
    place = _these(session, [chance.randint(low, high) for _ in range(SAMPLE_CARDS)]).subquery()
    found = ranges.end_of(whom, func.min, after=place.c.id).correlate(place).scalar_subquery()
    return sorted({one for one in session.scalars(select(found).select_from(place)) if one is not None})


def _these(session: Session, ids: Sequence[int]) -> Select[int]:
    """A list of ids as rows, sent as one value: thousands of parameters took longer to write down than to look up."""
    if session.get_bind().dialect.name == "sqlite":
        rows: Any = func.json_each(json.dumps(list(ids))).table_valued(column("value", BigId), name="these")
        return select(rows.c.value.label("id"))
    return select(func.unnest(bindparam(None, list(ids), type_=ARRAY(BigInteger))).label("id"))
