"""What all cards of a programme share: its look, tiers, stores, rewards, and what its offers promise."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session, selectinload

from app.cards.design import Design
from app.cards.models import Programme, Store, Tier
from app.ledger.held import HeldTier
from app.offers.models import Occurrence, Offer
from app.rewards.catalogue import shown
from app.rewards.models import Reward
from app.tiers import standings
from app.tiers.ladder import Ladder
from app.tiers.rules import Policy
from app.wallets import collected
from app.wallets.collected import ClubView, StampCardView
from app.wallets.promises import Gone, OfferView, Own, offer_view, on_card

R = TypeVar("R", Store, Reward, Offer)
NEWS_FOR = timedelta(hours=24)

# made once: writing a statement anew costs more than running it
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_PROGRAMMES = (
    select(Programme)
    .where(Programme.id.in_(_IDS))
    .options(selectinload(Programme.tiers))
    .execution_options(populate_existing=True)
)
_STORES = select(Store).where(Store.programme_id.in_(_IDS)).order_by(Store.id)
_REWARDS = select(Reward).where(Reward.programme_id.in_(_IDS), shown()).order_by(Reward.points, Reward.id)
_OPEN = select(Offer).where(Offer.programme_id.in_(_IDS), Offer.state == "live").order_by(Offer.ends_at, Offer.id)
_OVER = select(Offer).where(
    Offer.programme_id.in_(_IDS),
    Offer.announce,
    Offer.audience != "targeted",
    Offer.state.in_(("ended", "cancelled")),
    Offer.starts_at >= bindparam("since"),
    Offer.id.in_(select(Occurrence.offer_id).where(Occurrence.kind == "start", Occurrence.status == "fired")),
)


@dataclass(frozen=True, kw_only=True)
class TierView:
    """A level; `texts` holds its name by language where it differs from `name`."""

    id: int
    position: int
    name: str
    texts: Mapping[str, str]
    threshold_minor: int
    background_color: str | None

    def name_in(self, language: str) -> str:
        return self.texts.get(language) or self.name


@dataclass(frozen=True, kw_only=True)
class RewardView:
    """Something that points buy."""

    id: int
    public_id: str
    name: str
    texts: Mapping[str, str]
    points: int

    def name_in(self, language: str) -> str:
        return self.texts.get(language) or self.name


@dataclass(frozen=True, kw_only=True)
class StoreView:
    """A shop; degrees are None where nobody entered them."""

    id: int
    public_id: str
    name: str
    timezone: str
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, kw_only=True)
class ProgrammeView:
    """The programme, its look and everything in it that is the same for all members. Tiers rise, rewards by points."""

    id: int
    public_id: str
    slug: str
    name: str
    currency: str
    timezone: str
    language: str
    status: str
    pass_type_identifier: str
    team_identifier: str
    organization_name: str
    description: str
    design: Design
    design_version: int
    tiers: tuple[TierView, ...]
    stores: tuple[StoreView, ...]
    rewards: tuple[RewardView, ...]
    policy: Policy = field(default_factory=Policy)
    stamp_cards: tuple[StampCardView, ...] = ()
    clubs: tuple[ClubView, ...] = ()

    @cached_property
    def ladder(self) -> Ladder:
        """The tiers as their rules speak of them; what they multiply is no matter of the card's."""
        tiers = [
            HeldTier(
                id=tier.id, name=tier.name, threshold_minor=tier.threshold_minor, multiplier_num=1, multiplier_den=1
            )
            for tier in self.tiers
        ]
        return Ladder(zone=self.timezone, policy=self.policy, tiers=tuple(tiers))

    def tier_at(self, place: int) -> TierView | None:
        """The tier on that step; None below the first."""
        return self.tiers[place] if place >= 0 else None


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """A programme as its cards show it, as of one `revision` of it; what was read again is another.

    `opened`: the offers that were opened and not yet closed, the soonest to end first. `over`: announcements that came
    after the oldest of these and are gone.
    """

    revision: int
    programme: ProgrammeView
    opened: tuple[OfferView, ...]
    over: tuple[Gone, ...]

    def offers_for(self, own: Own, now: datetime) -> tuple[OfferView, ...]:
        """What stands on a card at *now*, the soonest to end for it first."""
        if not self.opened:
            return ()
        found = [view for one in self.opened if (view := on_card(one, own, now)) is not None]
        return tuple(sorted(found, key=lambda one: (one.ends_at, one.id)))

    def is_news(self, began_at: datetime, own: Own, now: datetime) -> bool:
        """Whether no later announcement for that card has come and gone.

        One that is live but no longer this card's, because it has left the segment, counts like one that is gone; for a
        day nothing is made of it, since most of those it is not for never had it and some have yet to hear the first.
        """
        if any(one.starts_at > began_at and own.has(one.tiers, one.segment_id) for one in self.over):
            return False
        if now - began_at <= NEWS_FOR:
            return True
        later = (one for one in self.opened if one.is_told and one.starts_at > began_at)
        return all(one.segment_id is None or one.segment_id in own.segments for one in later)


def facts(session: Session, programme_ids: Iterable[int]) -> dict[int, Facts]:
    """Read what programmes' cards share, by programme id, in a fixed number of statements. Unknown ids are left out.

    The revision is read first: what is read after it may be newer than it says, and is never older.
    """
    ids = sorted(set(programme_ids))
    rows = session.scalars(_PROGRAMMES, {"ids": ids}).all()
    stores = _by_programme(session.scalars(_STORES, {"ids": ids}))
    rewards = _by_programme(session.scalars(_REWARDS, {"ids": ids}))
    policies = standings.policies_of(session, ids)
    stamp_cards, clubs = collected.stamp_cards_of(session, ids), collected.clubs_of(session, ids)
    opened = _by_programme(session.scalars(_OPEN, {"ids": ids}))
    over = _over(session, ids, [offer for each in opened.values() for offer in each])
    return {
        row.id: Facts(
            revision=row.revision,
            programme=replace(
                _programme(row, stores[row.id], rewards[row.id], policies[row.id]),
                stamp_cards=stamp_cards.get(row.id, ()),
                clubs=clubs.get(row.id, ()),
            ),
            opened=tuple(offer_view(offer, row.currency) for offer in opened[row.id]),
            over=tuple(over[row.id]),
        )
        for row in rows
    }


def _by_programme(rows: Iterable[R]) -> dict[int, list[R]]:
    found: dict[int, list[R]] = defaultdict(list)
    for row in rows:
        found[row.programme_id].append(row)
    return found


def _over(session: Session, programme_ids: Collection[int], opened: Iterable[Offer]) -> dict[int, list[Gone]]:
    started = [offer.starts_at for offer in opened if offer.announce]
    found: dict[int, list[Gone]] = defaultdict(list)
    if started:
        for row in session.scalars(_OVER, {"ids": programme_ids, "since": min(started)}):
            view = offer_view(row)
            gone = Gone(tiers=view.tiers, segment_id=view.segment_id, starts_at=view.starts_at)
            found[row.programme_id].append(gone)
    return found


def _programme(row: Programme, stores: Iterable[Store], rewards: Iterable[Reward], policy: Policy) -> ProgrammeView:
    return ProgrammeView(
        id=row.id,
        public_id=row.public_id,
        slug=row.slug,
        name=row.name,
        currency=row.currency,
        timezone=row.timezone,
        language=row.language,
        status=row.status,
        pass_type_identifier=row.pass_type_identifier,
        team_identifier=row.team_identifier,
        organization_name=row.organization_name,
        description=row.description,
        design=Design.parse(row.design),
        design_version=row.design_version,
        tiers=tuple(_tier(tier) for tier in row.tiers),
        stores=tuple(_store(store) for store in stores),
        rewards=tuple(_reward(reward) for reward in rewards),
        policy=policy,
    )


def _tier(row: Tier) -> TierView:
    return TierView(
        id=row.id,
        position=row.position,
        name=row.name,
        texts=row.texts,
        threshold_minor=row.threshold_minor,
        background_color=row.background_color,
    )


def _store(row: Store) -> StoreView:
    return StoreView(
        id=row.id,
        public_id=row.public_id,
        name=row.name,
        timezone=row.timezone,
        latitude=row.latitude,
        longitude=row.longitude,
    )


def _reward(row: Reward) -> RewardView:
    return RewardView(id=row.id, public_id=row.public_id, name=row.name, texts=row.texts, points=row.points)
