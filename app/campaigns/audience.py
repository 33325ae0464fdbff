"""Whom a campaign is for, who of them may be told at all, and by which clock each of them lives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select
from sqlalchemy.orm import Session

from app.campaigns import policy, timing
from app.campaigns.holdout import Shares
from app.campaigns.models import Campaign
from app.campaigns.policy import Policy
from app.campaigns.timing import Quiet
from app.cards.models import Card, Installation, Member, Preference, Programme, Store
from app.db import room_to_count
from app.habits.models import Habit
from app.segments import service as segments
from app.segments.models import Segment


class Clock(NamedTuple):
    """What decides by whose clock somebody lives, and when it is quiet there; few people have one of their own.

    `store_id`: their most used store, `home_id`: where they joined.
    """

    zone: str | None
    store_id: int | None
    home_id: int | None
    quiet_from: str | None
    quiet_to: str | None


class Person(NamedTuple):
    """What decides about one card; for what is not said here see `Clock`."""

    card_id: int
    member: str
    zone: str | None
    store_id: int | None
    home_id: int | None
    consents: bool
    is_installed: bool
    quiet_from: str | None
    quiet_to: str | None
    unwanted: list[str] | None
    status: str
    member_status: str
    per_week: int | None
    language: str
    tier_id: int | None

    @property
    def clock(self) -> Clock:
        """What of it decides when they are told."""
        return Clock(self.zone, self.store_id, self.home_id, self.quiet_from, self.quiet_to)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same for all people of a campaign: its clocks, its quiet hours."""

    campaign: Campaign
    programme: Programme
    policy: Policy
    programme_quiet: Quiet | None
    own_quiet: Quiet | None
    zones: Mapping[int, str]

    def meant_zone(self, clock: Clock) -> str:
        """By which clock the campaign's time is meant for somebody."""
        fixed, mode = self.campaign.timezone, self.campaign.timezone_mode
        return fixed if mode == "fixed" else self._zone(clock, mode)

    def own_zone(self, clock: Clock) -> str:
        """By which clock somebody lives, and is left in peace at night, whatever the campaign's time is meant by."""
        return self._zone(clock, "member")

    def _zone(self, clock: Clock, mode: str) -> str:
        return timing.zone_for(
            mode,
            chosen=clock.zone,
            most_used=self.zones.get(clock.store_id or 0),
            home=self.zones.get(clock.home_id or 0),
            fallback=self.programme.timezone,
        )

    def quiet_of(self, clock: Clock) -> tuple[Quiet, ...]:
        """Which quiet hours hold for somebody."""
        own = timing.quiet_hours(clock.quiet_from, clock.quiet_to)
        return timing.in_force(self.programme_quiet, self.own_quiet, own)

    def refusal(self, person: Person) -> str:
        """Why somebody cannot be told at all, as a reason; empty if they can."""
        if person.status != "active" or person.member_status != "active":
            return "erased"
        if self.campaign.purpose == "marketing" and not person.consents:
            return "no_consent"
        if not person.is_installed:
            return "not_installed"
        if self.campaign.topic and self.campaign.topic in (person.unwanted or ()):
            return "unwanted_topic"
        return ""


def setting(session: Session, campaign: Campaign) -> Setting:
    """What holds for a campaign at this moment."""
    own = policy.of(session, campaign.programme_id)
    stores = select(Store.id, Store.timezone).where(Store.programme_id == campaign.programme_id)
    return Setting(
        campaign=campaign,
        programme=session.get_one(Programme, campaign.programme_id),
        policy=own,
        programme_quiet=timing.quiet_hours(own.quiet_from, own.quiet_to),
        own_quiet=timing.quiet_hours(campaign.quiet_from, campaign.quiet_to),
        zones={row.id: row.timezone for row in session.execute(stores)},
    )


def conditions(session: Session, campaign: Campaign, *, now: datetime) -> list[ColumnElement[bool]]:
    """By which a card belongs to a campaign's audience."""
    segment = session.get(Segment, campaign.segment_id) if campaign.segment_id else None
    return segments.audience(
        session, campaign.programme_id, segment=segment, tier_id=campaign.tier_id, stores=tuple(campaign.stores),
        now=now,
    )  # fmt: skip


def is_narrowed(campaign: Campaign) -> bool:
    """Whether somebody can leave the audience other than by leaving the programme."""
    return bool(campaign.segment_id or campaign.tier_id or campaign.stores)


def people(*wanted: ColumnElement[bool]) -> Select[Any]:
    """What is to be known of these cards, in the order of `Person`, to be narrowed and ordered further."""
    return (
        select(
            Card.id, Member.public_id, Member.timezone, Habit.store_id, Member.home_store_id,
            Member.marketing_consent, installed(), Preference.quiet_from, Preference.quiet_to,
            Preference.unwanted_topics, Card.status, Member.status.label("member_status"), Preference.per_week,
            Member.language, Card.tier_id,
        )
        .join(Member, Member.id == Card.member_id)
        .outerjoin(Habit, Habit.card_id == Card.id)
        .outerjoin(Preference, Preference.member_id == Member.id)
        .where(*wanted)
    )  # fmt: skip


def read(session: Session, query: Select[Any]) -> Iterator[Person]:
    """The people that a query made by `people` finds."""
    return (Person._make(row) for row in session.execute(query))


def installed() -> ColumnElement[bool]:
    """Whether a card is in a wallet."""
    return exists(literal_column("1")).where(Installation.card_id == Card.id, Installation.gone_at.is_(None))


def eligible(campaign: Campaign) -> list[ColumnElement[bool]]:
    """By which cards of the audience can be told, apart from the topics that they do not want."""
    told: list[ColumnElement[bool]] = [installed()]
    if campaign.purpose == "marketing":
        of_card = exists(literal_column("1")).where(Member.id == Card.member_id, Member.marketing_consent.is_(True))
        told.append(of_card)
    return told


def count(session: Session, campaign: Campaign, *, now: datetime, most: int | None = None) -> int:
    """How many cards are in a campaign's audience; counted no further than *most*."""
    return _counted(session, conditions(session, campaign, now=now), most)


def own_share(session: Session, campaign: Campaign, *, now: datetime) -> int:
    """How many of its people a campaign holds back, in basis points: as chosen, else as is usual for so many."""
    if campaign.holdout_bp is not None:
        return campaign.holdout_bp
    return policy.DEFAULT_HOLDOUT_BP if _is_comparable(session, campaign, now=now) else 0


def shares(session: Session, campaign: Campaign, *, now: datetime) -> Shares:
    """Whom a run that begins now holds back."""
    programme = session.get_one(Programme, campaign.programme_id)
    own = policy.of(session, programme.id)
    holds = campaign.purpose == "marketing" and (own.is_chosen or _is_comparable(session, campaign, now=now))
    return Shares(
        campaign=campaign.public_id,
        campaign_bp=own_share(session, campaign, now=now),
        programme=programme.public_id,
        global_bp=own.global_holdout_bp if holds else 0,
    )


def zones(session: Session, campaign: Campaign) -> set[str]:
    """The zones in which people of the programme may live."""
    if campaign.timezone_mode == "fixed":
        return {campaign.timezone}
    programme = session.get_one(Programme, campaign.programme_id)
    stores = set(session.scalars(select(Store.timezone).where(Store.programme_id == programme.id).distinct()))
    if campaign.timezone_mode == "store":
        return {programme.timezone, *stores}
    chosen = select(Member.timezone).where(Member.programme_id == programme.id, Member.timezone.is_not(None))
    return {programme.timezone, *stores, *(zone for zone in session.scalars(chosen.distinct()) if zone)}


def _is_comparable(session: Session, campaign: Campaign, *, now: datetime) -> bool:
    """Whether enough people can be told that some held back of them say something."""
    if campaign.purpose != "marketing":
        return False
    wanted = [*conditions(session, campaign, now=now), *eligible(campaign)]
    return _counted(session, wanted, policy.HELD_BACK_FROM) >= policy.HELD_BACK_FROM


def _counted(session: Session, wanted: list[ColumnElement[bool]], most: int | None) -> int:
    room_to_count(session)
    if most is None:
        return session.scalar(select(func.count()).select_from(Card).where(*wanted)) or 0
    some = select(Card.id).where(*wanted).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
