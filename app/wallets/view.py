"""A card as its holder should see it now: the plain values that both wallets and the customer's page draw from.

Nothing here is a row. A view is read in one transaction and used after it is closed, where signing and network happen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.cards import people
from app.cards.design import Design
from app.cards.models import Card, Member, Programme, Store, Tier
from app.ledger import service as ledger
from app.ledger.models import Reward
from app.offers import service as offers
from app.offers.models import Occurrence, Offer

ERASED = "erased"

# Made once: a phone's fetch is mostly the making of statements, when each is written anew.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_CARDS = (
    select(Card)
    .where(Card.id.in_(_IDS))
    .options(joinedload(Card.member), joinedload(Card.programme).selectinload(Programme.tiers))
    .execution_options(populate_existing=True)
)
_STORES = select(Store).where(Store.programme_id.in_(_IDS)).order_by(Store.id)
_REWARDS = select(Reward).where(Reward.programme_id.in_(_IDS), Reward.active).order_by(Reward.points, Reward.id)


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
class OfferView:
    """A live offer; `texts` is {language: {"title": …, "body": …}}, `title` and `body` stand where a language lacks."""

    id: int
    public_id: str
    title: str
    body: str
    texts: Mapping[str, Mapping[str, str]]
    starts_at: datetime
    ends_at: datetime
    timezone: str
    announce: bool

    def title_in(self, language: str) -> str:
        return self.texts.get(language, {}).get("title") or self.title

    def body_in(self, language: str) -> str:
        return self.texts.get(language, {}).get("body") or self.body


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


@dataclass(frozen=True, kw_only=True)
class CardView:
    """Everything visible of one card at `as_of`.

    `short_name` is all that is said of the person ("Ayşe Y."), empty once erased. `offers` are live, the soonest to end
    first; `latest` is the announced one that started last, or None, and `latest_is_news` is False once a later
    announcement has come and gone: going back to the older one is not worth a sound. `next_tier` is None at the top.
    """

    card_id: int
    member_id: int
    number: str
    serial: str
    link: str
    status: str
    version: int
    modified_at: datetime
    as_of: datetime
    language: str
    short_name: str
    balance: int
    qualifying_minor: int
    programme: ProgrammeView
    tier: TierView | None
    next_tier: TierView | None
    offers: tuple[OfferView, ...]
    latest: OfferView | None
    latest_is_news: bool

    @property
    def is_valid(self) -> bool:
        """Whether the card may still be used; voided and erased ones are shown greyed."""
        return self.status == "active"

    @property
    def to_next_tier_minor(self) -> int:
        """What is still to be spent for the next tier, in minor units; 0 at the top."""
        return max(0, self.next_tier.threshold_minor - self.qualifying_minor) if self.next_tier else 0

    def with_offers(self, offers: Iterable[OfferView]) -> "CardView":
        """The same card with other live offers: how a preview shows what is not live yet."""
        ordered = _ordered(offers)
        return replace(self, offers=ordered, latest=_latest(ordered), latest_is_news=True)


def card_view(session: Session, card: Card, *, now: datetime) -> CardView:
    """Read what one card shows at *now*."""
    return card_views(session, [card.id], now)[card.id]


def card_views(session: Session, card_ids: Iterable[int], now: datetime) -> dict[int, CardView]:
    """Read what many cards show at *now*, by card id, in a fixed number of statements. Unknown ids are left out."""
    cards = session.scalars(_CARDS, {"ids": sorted(set(card_ids))}).all()
    if not cards:
        return {}
    programme_ids = sorted({card.programme_id for card in cards})
    programmes = _programmes(session, [card.programme for card in cards], programme_ids)
    balances = ledger.balances_of(session, [card.member_id for card in cards])
    live = {each: offers.live_in(session, each, now=now) for each in programme_ids}
    over = _over(session, programme_ids, [offer for each in live.values() for offer in each])
    return {
        card.id: _view(
            card,
            programme=programmes[card.programme_id],
            balance=balances.get(card.member_id, 0),
            live=[offer for offer in live[card.programme_id] if offers.is_for(offer, card)],
            over=[offer for offer in over[card.programme_id] if offers.is_for(offer, card)],
            short_name=_short_name(session, card.member),
            now=now,
        )
        for card in cards
    }


def offer_view(offer: Offer) -> OfferView:
    """An offer as plain values, also one that is not live yet."""
    return OfferView(
        id=offer.id,
        public_id=offer.public_id,
        title=offer.title,
        body=offer.body,
        texts=offer.texts,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        timezone=offer.timezone,
        announce=offer.announce,
    )


def _programmes(session: Session, rows: Sequence[Programme], ids: Sequence[int]) -> dict[int, ProgrammeView]:
    stores: dict[int, list[StoreView]] = defaultdict(list)
    for store in session.scalars(_STORES, {"ids": ids}):
        stores[store.programme_id].append(_store(store))
    rewards: dict[int, list[RewardView]] = defaultdict(list)
    for reward in session.scalars(_REWARDS, {"ids": ids}):
        rewards[reward.programme_id].append(_reward(reward))
    return {
        row.id: _programme(row, stores=tuple(stores[row.id]), rewards=tuple(rewards[row.id]))
        for row in {row.id: row for row in rows}.values()
    }


def _programme(row: Programme, *, stores: tuple[StoreView, ...], rewards: tuple[RewardView, ...]) -> ProgrammeView:
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
        stores=stores,
        rewards=rewards,
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


def _over(session: Session, programme_ids: Sequence[int], live: Iterable[Offer]) -> dict[int, list[Offer]]:
    """Announcements that came after the oldest live one and are over, by programme; one statement if any is live."""
    started = [offer.starts_at for offer in live if offer.announce]
    over: dict[int, list[Offer]] = defaultdict(list)
    if started:
        shown = select(Occurrence.offer_id).where(Occurrence.kind == "start", Occurrence.status == "fired")
        wanted = select(Offer).where(
            Offer.programme_id.in_(programme_ids),
            Offer.announce,
            Offer.state.in_(("ended", "cancelled")),
            Offer.starts_at >= min(started),
            Offer.id.in_(shown),
        )
        for offer in session.scalars(wanted):
            over[offer.programme_id].append(offer)
    return over


def _view(
    card: Card,
    *,
    programme: ProgrammeView,
    balance: int,
    live: Sequence[Offer],
    over: Sequence[Offer],
    short_name: str,
    now: datetime,
) -> CardView:
    tier = next((tier for tier in programme.tiers if tier.id == card.tier_id), None)
    position = tier.position if tier else -1
    ordered = _ordered(offer_view(offer) for offer in live) if card.status == "active" else ()
    latest = _latest(ordered)
    return CardView(
        card_id=card.id,
        member_id=card.member_id,
        number=card.number,
        serial=card.serial,
        link=card.link,
        status=card.status,
        version=card.version,
        modified_at=card.modified_at,
        as_of=now,
        language=card.member.language,
        short_name=short_name,
        balance=balance,
        qualifying_minor=card.qualifying_minor,
        programme=programme,
        tier=tier,
        next_tier=next(
            (tier for tier in programme.tiers if tier.position > position and tier.threshold_minor > 0), None
        ),
        offers=ordered,
        latest=latest,
        latest_is_news=latest is not None and all(gone.starts_at < latest.starts_at for gone in over),
    )


def _ordered(offers: Iterable[OfferView]) -> tuple[OfferView, ...]:
    return tuple(sorted(offers, key=lambda offer: (offer.ends_at, offer.id)))


def _latest(offers: Sequence[OfferView]) -> OfferView | None:
    announced = [offer for offer in offers if offer.announce]
    return max(announced, key=lambda offer: (offer.starts_at, offer.id), default=None)


def _short_name(session: Session, member: Member) -> str:
    """First name and the initial of the last: enough to greet, too little to identify on a lock screen."""
    if member.status == ERASED or member.sealed is None:
        return ""
    return people.short_name(people.of(session, member).name)


def programme_views(session: Session, programme_ids: Iterable[int]) -> dict[int, ProgrammeView]:
    """What is the same for all cards of some programmes, by programme id. Unknown ids are left out."""
    ids = sorted(set(programme_ids))
    rows = session.scalars(select(Programme).where(Programme.id.in_(ids)).options(selectinload(Programme.tiers)))
    return _programmes(session, list(rows), ids)
