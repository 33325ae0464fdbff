"""A card as its holder should see it now: the plain values that both wallets and the customer's page draw from.

Nothing here is a row. A view is read in one transaction and used after it is closed, where signing and network happen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Select, and_, bindparam, select, type_coerce
from sqlalchemy.orm import Session, aliased

from app import localtime
from app.cards import people
from app.cards.models import Card, Member, Programme
from app.db import table_of
from app.ledger import expiry
from app.ledger.models import Account
from app.rewards.models import Goal
from app.tiers import ladder as ladders
from app.tiers import standings
from app.vault import Vault
from app.wallets import collected, messages, notes, promises
from app.wallets import programme as shared
from app.wallets.collected import Collected, Joined
from app.wallets.messages import MessageView, Sent, Words
from app.wallets.notes import Expiring, Note
from app.wallets.programme import Facts, ProgrammeView, RewardView, StoreView, TierView
from app.wallets.promises import OfferView, Own, offer_view

__all__ = [
    "CardRow",
    "CardView",
    "Facts",
    "MessageView",
    "OfferView",
    "ProgrammeView",
    "RewardView",
    "StoreView",
    "TierView",
    "card_view",
    "card_views",
    "cards_by",
    "draw",
    "offer_view",
    "programme_views",
]


@dataclass(frozen=True, kw_only=True)
class CardView:
    """Everything visible of one card at `as_of`.

    `short_name` is all that is said of the person ("Ayşe Y."), empty once erased. `offers` are live, the soonest to end
    first; `latest` is the announced one that started last, or None, and `message` what a campaign said last. What of
    both is newer is the news; `latest_is_news` is False where it may not sound, and once something later has come and
    gone: going back to the older one is not worth a sound. `next_tier` is None at the top.

    `valid_to` is the last day of the tier shown, None if it has none. `to_keep`: what is missing of the metric to keep
    `earned_tier` by `keep_by`; what counts for the next tier does so until `next_by`. `expiring`: the points that are
    lost next, if that is within 30 days. `notes` are in the card's own language. A gift card, by its `kind`, shows
    the money on it, `money_minor`, and nothing of tiers, points or offers.
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
    valid_to: date | None = None
    earned_tier: TierView | None = None
    to_keep: int | None = None
    keep_by: date | None = None
    next_by: date | None = None
    goal: RewardView | None = None
    expiring: Expiring | None = None
    notes: tuple[Note, ...] = ()
    kind: str = "loyalty"
    money_minor: int = 0
    stamps: tuple[Collected, ...] = ()
    clubs: tuple[Joined, ...] = ()
    message: MessageView | None = None

    @property
    def told(self) -> MessageView | None:
        """The message, where it is newer than what the offers announce."""
        if self.message is None or (self.latest is not None and self.latest.starts_at > self.message.starts_at):
            return None
        return self.message

    @property
    def today(self) -> date:
        """The programme's day."""
        return localtime.wall_clock(self.as_of, self.programme.timezone).date()

    @property
    def is_valid(self) -> bool:
        """Whether the card may still be used; voided and erased ones are shown greyed."""
        return self.status == "active"

    @property
    def to_next_tier_minor(self) -> int:
        """What is still to be spent for the next tier, in minor units; 0 at the top."""
        return max(0, self.next_tier.threshold_minor - self.qualifying_minor) if self.next_tier else 0

    def with_notes(self) -> "CardView":
        """The same card with what its own values say in sentences; nothing is said of one that is not valid."""
        return replace(self, notes=notes.of(self, self.language) if self.is_valid else ())

    def with_offers(self, offers: Iterable[OfferView]) -> "CardView":
        """The same card with other live offers: how a preview shows what is not live yet."""
        ordered = tuple(sorted(offers, key=lambda offer: (offer.ends_at, offer.id)))
        return replace(self, offers=ordered, latest=_latest(ordered), latest_is_news=True)

    def with_message(self, message: MessageView) -> "CardView":
        """The same card with a message as its news, for a preview."""
        earlier = [replace(one, announce=False) for one in self.offers]
        return replace(self.with_offers(earlier), message=message, latest_is_news=message.alert)


class CardRow(NamedTuple):
    """What is the card's own, in the order of the columns below; `modified_ms` is epoch milliseconds."""

    card_id: int
    programme_id: int
    member_id: int
    number: str
    serial: str
    link: str
    status: str
    version: int
    modified_ms: int
    tier_id: int | None
    qualifying_minor: int
    language: str
    sealed: bytes | None
    balance: int | None
    pass_type_identifier: str
    revision: int
    months: str | None
    standing: str | None
    goal_reward_id: int | None
    expiring: str | None
    kind: str
    money: int | None
    stamps: str | None
    clubs: str | None
    segments: str | None
    grants: str | None
    uses: str | None
    message_text_id: int | None
    message_run_id: int | None
    message_starts_ms: int | None
    message_ends_ms: int | None
    message_alert: bool | None
    message_numbers: str | None

    @property
    def own(self) -> Own:
        """What decides which offers stand on the card."""
        return promises.own_of(self.tier_id, self.segments, self.grants, self.uses)

    @property
    def message(self) -> Sent | None:
        return messages.sent(*self[-6:])

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ms / 1000, UTC)


NO_WORDS: Mapping[int, Words] = MappingProxyType({})
_PURSE = aliased(Account)
_MONEY = (
    select(_PURSE.balance)
    .where(_PURSE.member_id == Card.member_id, _PURSE.role == "avail", _PURSE.unit == Programme.currency)
    .scalar_subquery()
)
_GOAL = select(Goal.reward_id).where(Goal.card_id == Card.id).scalar_subquery()


def cards_by(*conditions: Any) -> Select[*tuple[Any, ...]]:
    """The statement that reads `CardRow`s, with their programme's revision, in one look at the database."""
    available = and_(Account.member_id == Card.member_id, Account.role == "avail", Account.unit == "points")
    return (
        select(
            Card.id, Card.programme_id, Card.member_id, Card.number, Card.serial, Card.link, Card.status, Card.version,
            type_coerce(Card.modified_at, BigInteger), Card.tier_id, Card.qualifying_minor, Member.language,
            Member.sealed, Account.balance, Programme.pass_type_identifier, Programme.revision,
            *standings.texts_of(table_of(Card).c.id), _GOAL,
            expiry.soonest(table_of(Account).c.id), Card.kind, _MONEY,
            *collected.texts_of(table_of(Card).c.member_id),
            *promises.texts_of(table_of(Card).c.id, table_of(Card).c.programme_id), *messages.columns(),
        )
        .join(Programme, Programme.id == Card.programme_id)
        .join(Member, Member.id == Card.member_id)
        .outerjoin(Account, available)
        .outerjoin(messages.TABLE, messages.TABLE.c.card_id == Card.id)
        .where(*conditions)
    )  # fmt: skip


_CARDS = cards_by(Card.id.in_(bindparam("ids", expanding=True)))


def card_view(session: Session, card: Card, *, now: datetime) -> CardView:
    """Read what one card shows at *now*."""
    return card_views(session, [card.id], now)[card.id]


def card_views(session: Session, card_ids: Iterable[int], now: datetime) -> dict[int, CardView]:
    """Read what many cards show at *now*, by card id, in a fixed number of statements. Unknown ids are left out."""
    rows = [CardRow._make(row) for row in session.execute(_CARDS, {"ids": sorted(set(card_ids))})]
    if not rows:
        return {}
    programmes = shared.facts(session, {row.programme_id for row in rows})
    words = messages.words_of(session, {row.message_text_id for row in rows if row.message_text_id is not None})
    vault: Vault = session.info["vault"]
    return {row.card_id: draw(row, programmes[row.programme_id], words=words, vault=vault, now=now) for row in rows}


def programme_views(session: Session, programme_ids: Iterable[int]) -> dict[int, ProgrammeView]:
    """What is the same for all cards of some programmes, by programme id. Unknown ids are left out."""
    return {key: found.programme for key, found in shared.facts(session, programme_ids).items()}


def draw(row: CardRow, facts: Facts, *, vault: Vault, now: datetime, words: Mapping[int, Words] = NO_WORDS) -> CardView:
    """Join what is the card's own and what its programme's cards share. *words*: those of its message, by their id."""
    programme = facts.programme
    tier = next((tier for tier in programme.tiers if tier.id == row.tier_id), None)
    position = tier.position if tier else -1
    is_valid, own = row.status == "active", row.own if facts.opened else promises.NOTHING
    live = facts.offers_for(own, now) if is_valid else ()
    name = people.opened(vault, row.sealed).name
    latest = _latest(live)
    message = _message(row, words, programme, name, now) if is_valid else None
    drawn = CardView(
        card_id=row.card_id,
        member_id=row.member_id,
        number=row.number,
        serial=row.serial,
        link=row.link,
        status=row.status,
        version=row.version,
        modified_at=row.modified_at,
        as_of=now,
        language=row.language,
        short_name=people.short_name(name),
        balance=row.balance or 0,
        qualifying_minor=row.qualifying_minor,
        programme=programme,
        tier=tier,
        next_tier=next(
            (tier for tier in programme.tiers if tier.position > position and tier.threshold_minor > 0), None
        ),
        offers=live,
        latest=latest,
        latest_is_news=_is_news(row, latest, message, facts, own, now),
        message=message,
        goal=next((one for one in programme.rewards if one.id == row.goal_reward_id), None),
        expiring=_expiring(row, programme, now),
        kind=row.kind,
        money_minor=row.money or 0,
        stamps=collected.stamps_from(programme.stamp_cards, row.stamps),
        clubs=collected.clubs_from(programme.clubs, row.clubs, programme.timezone, now),
        **_level(row, programme, now),
    )
    return _of_money(drawn) if row.kind == "gift" else drawn.with_notes()


def _of_money(view: CardView) -> CardView:
    """A gift card: whoever holds it is no member, so nothing is said of levels, points or offers."""
    return replace(
        view, tier=None, next_tier=None, offers=(), latest=None, latest_is_news=False, goal=None, expiring=None,
        message=None, valid_to=None, earned_tier=None, to_keep=None, keep_by=None, next_by=None, stamps=(), clubs=(),
    )  # fmt: skip


def _level(row: CardRow, programme: ProgrammeView, now: datetime) -> dict[str, Any]:
    """Until when the tier lasts, and what is missing, from the standing that is stored."""
    ladder = programme.ladder
    today = ladder.today(now)
    record = standings.from_texts(ladder, row.months, row.standing)
    told = ladders.projected(ladder, record, today)
    return {
        "valid_to": ladders.lasts_to(record, today),
        "earned_tier": programme.tier_at(record.standing.place),
        "to_keep": told.to_keep,
        "keep_by": told.keep_by,
        "next_by": told.next_by,
    }


def _expiring(row: CardRow, programme: ProgrammeView, now: datetime) -> Expiring | None:
    """What is lost within 30 days; what the next run of the job will take is not spoken of any more."""
    first = expiry.from_text(row.expiring)
    if first is None or not now < first.at <= now + expiry.WARN_BEFORE[0]:
        return None
    last_on = localtime.wall_clock(first.at - timedelta(milliseconds=1), programme.timezone).date()
    return Expiring(units=first.units, last_on=last_on, is_near=first.at <= now + expiry.WARN_BEFORE[1])


def _latest(offers: Sequence[OfferView]) -> OfferView | None:
    announced = [offer for offer in offers if offer.is_told]
    return max(announced, key=lambda offer: (offer.starts_at, offer.id), default=None)


def _message(
    row: CardRow, words: Mapping[int, Words], programme: ProgrammeView, name: str, now: datetime
) -> MessageView | None:
    found = row.message
    if found is None or found.text_id not in words or not found.starts_at <= now < found.ends_at:
        return None
    return messages.drawn(found, words[found.text_id], name=name, language=row.language, zone=programme.timezone)


def _is_news(
    row: CardRow, latest: OfferView | None, message: MessageView | None, facts: Facts, own: Own, now: datetime
) -> bool:
    """Whether what stands as the news of a card is worth a sound."""
    if message is not None and (latest is None or message.starts_at >= latest.starts_at):
        return message.alert and facts.is_news(message.starts_at, own, now)
    if latest is None:
        return False
    later = row.message
    gone = later is not None and later.starts_at >= latest.starts_at and later.ends_at <= now
    return not gone and facts.is_news(latest.starts_at, own, now)
