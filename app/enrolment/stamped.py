"""Stamp cards, clubs and what is open to their members, as the customer's page shows them."""

from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.clubs import gates
from app.clubs import service as clubs
from app.i18n import text
from app.stamps import rules
from app.stamps import service as stamps
from app.stamps.service import Progress


@dataclass(frozen=True, kw_only=True)
class StampLine:
    """One stamp card: `drawn` are its places, `count` says the same in words, `cue` that little is missing."""

    name: str
    reward: str
    drawn: str
    count: str
    cue: str
    usable: str


@dataclass(frozen=True, kw_only=True)
class ClubLine:
    name: str
    benefits: str
    until: str


@dataclass(frozen=True, kw_only=True)
class GateLine:
    title: str
    href: str


def stamp_lines(db: Session, card: Card, language: str, *, now: datetime) -> list[StampLine]:
    """Every stamp card of the member, those with a reward to use first."""
    if card.status != "active":
        return []
    found = stamps.progress(db, card.member_id, card.programme_id, now=now)
    return [_stamps(one, language, now) for one in sorted(found, key=lambda one: -one.vouchers)]


def club_lines(db: Session, card: Card, language: str, *, now: datetime) -> list[ClubLine]:
    """The clubs that the member is in or will be in."""
    if card.status != "active":
        return []
    return [
        ClubLine(
            name=one.club.texts.get(language, {}).get("name") or one.club.name,
            benefits=one.club.texts.get(language, {}).get("benefits") or one.club.benefits,
            until=str(format_date(clubs.last_day(one), "d MMM y", locale=language)),
        )
        for one in clubs.of_member(db, card.member_id)
        if one.ends_at > now
    ]


def gate_lines(db: Session, card: Card, language: str, *, now: datetime) -> list[GateLine]:
    """What the member may open."""
    return [
        GateLine(title=gates.title(one, language), href=f"/c/{card.link}/club/{one.slug}")
        for one in gates.open_to(db, card, now=now)
    ]


def _stamps(one: Progress, language: str, now: datetime) -> StampLine:
    size, live = one.stamp_card.size, stamps.is_live(one.stamp_card, now)
    name, reward = stamps.words(one.stamp_card, language)
    usable = ""
    if one.vouchers:
        usable = text(language, "Yours: ask at the till")
        if one.vouchers > 1:
            usable = text(language, "%(count)s yours: ask at the till", count=one.vouchers)
    return StampLine(
        name=name,
        reward=reward,
        drawn=rules.drawn(one.stamps, size) if live else "",
        count=text(language, "%(stamps)s of %(size)s", stamps=one.stamps, size=size) if live else "",
        cue=text(language, "One more stamp!") if live and rules.is_near(one.stamps, size) else "",
        usable=usable,
    )
