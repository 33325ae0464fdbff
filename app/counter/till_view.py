"""What a cashier sees of a card: enough to serve the customer, and nothing more about the person.

A scan is answered by a fixed number of statements, whatever the card has behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards import people
from app.cards.models import Card, Store
from app.errors import AppError
from app.ledger import service as ledger
from app.ledger.held import POINTS
from app.ledger.models import Account, Entry, Hold, Lot
from app.offers import refusals, terms
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.refusals import Refusal
from app.offers.service import Use
from app.offers.terms import Terms
from app.rewards import catalogue, rules
from app.rewards.models import Reward, Taking
from app.stamps import service as stamps
from app.stamps.models import StampCard

RECENT = 5
BIRTHDAY_NEARNESS = timedelta(days=3)
EXPIRING_WITHIN = timedelta(days=30)
AGAIN_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class OfferAtTill:
    """An offer that stands on the card; `refusal` says why it cannot be used now, `use` how it was used."""

    offer: Offer
    title: str
    refusal: Refusal | None
    use: Use | None
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class RewardAtTill:
    """A reward that the card can pay; `refusal` says why it cannot be had now. `needs_basket`: the amount decides."""

    reward: Reward
    refusal: AppError | None
    needs_basket: bool


@dataclass(frozen=True, kw_only=True)
class StampsAtTill:
    """A stamp card as it stands: `stamps` of `size`, and rewards not yet used. `by_tap`: the cashier gives them."""

    stamp_card: StampCard
    name: str
    reward: str
    stamps: int
    size: int
    vouchers: int
    by_tap: bool


@dataclass(frozen=True, kw_only=True)
class Expiring:
    """The next points to be lost, and the first instant at which they are gone."""

    points: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class TillView:
    """One card at one till at one moment.

    `tier_factor`: by what the tier multiplies points. `holds` are open; one whose time is over may still be among them.
    `earned_just_now`: the last purchase, if it was so recent that this may be the same one again.
    """

    card: Card
    initials: str
    short_name: str
    tier: str | None
    tier_color: str | None
    tier_factor: Fraction
    balance: int
    held: int
    deficit: int
    by_unit: Mapping[str, int]
    expiring: Expiring | None
    catalogue: tuple[Reward, ...]
    rewards: tuple[RewardAtTill, ...]
    next_reward: Reward | None
    stamps: tuple[StampsAtTill, ...]
    offers: tuple[OfferAtTill, ...]
    holds: tuple[Hold, ...]
    birthday_week: bool
    earned_just_now: Entry | None


@dataclass(frozen=True, kw_only=True)
class _Balances:
    of: Mapping[tuple[str, str], int]
    points_account: int | None

    def __call__(self, unit: str, role: str) -> int:
        return self.of.get((unit, role), 0)


def at_till(session: Session, card: Card, *, store: Store | None, language: str, now: datetime) -> TillView:
    """Gather what the till shows for a scanned card."""
    person = people.of(session, card.member)
    balance = _balances(session, card.member_id)
    points = balance(POINTS, "avail")
    given = catalogue.of_programme(session, card.programme_id)
    tier = card.tier
    return TillView(
        card=card,
        initials=people.initials(person.name, card.member.language),
        short_name=people.short_name(person.name),
        tier=(tier.texts.get(language) or tier.name) if tier else None,
        tier_color=tier.background_color if tier else None,
        tier_factor=Fraction(tier.multiplier_num, tier.multiplier_den) if tier else Fraction(1),
        balance=points,
        held=balance(POINTS, "hold"),
        deficit=-balance(POINTS, "debt"),
        by_unit={unit: amount for (unit, role), amount in balance.of.items() if role == "avail"},
        expiring=_expiring(session, balance.points_account, now) if points else None,
        catalogue=tuple(given),
        rewards=_rewards(session, card, [one for one in given if _can_pay(one, balance)], store, now),
        next_reward=min((one for one in given if _is_next(one, points)), key=lambda one: one.points, default=None),
        stamps=_stamps(session, card, balance, store, language, now),
        offers=_offers(session, card, store, language, now),
        holds=tuple(_open_holds(session, card)),
        birthday_week=_near_birthday(person.birthday, now, store.timezone if store else card.programme.timezone),
        earned_just_now=_earned_just_now(session, card, now),
    )


def _balances(session: Session, member_id: int) -> _Balances:
    rows = session.execute(
        select(Account.id, Account.unit, Account.role, Account.balance).where(Account.member_id == member_id)
    ).all()
    points = next((row.id for row in rows if (row.unit, row.role) == (POINTS, "avail")), None)
    return _Balances(of={(row.unit, row.role): row.balance or 0 for row in rows}, points_account=points)


def _expiring(session: Session, account_id: int | None, now: datetime) -> Expiring | None:
    soonest = (
        select(Lot.expires_at, func.sum(Lot.remaining))
        .where(
            Lot.account_id == account_id,
            Lot.remaining > 0,
            Lot.expires_at > now,
            Lot.expires_at <= now + EXPIRING_WITHIN,
        )
        .group_by(Lot.expires_at)
        .order_by(Lot.expires_at)
        .limit(1)
    )
    found = session.execute(soonest).one_or_none()
    return Expiring(points=int(found[1]), at=found[0]) if found and found[0] else None


def _can_pay(reward: Reward, balance: _Balances) -> bool:
    """An experience is booked for a date, which is not done in a queue."""
    return reward.kind != "experience" and (not reward.unit or balance(reward.unit, "avail") >= reward.points)


def _is_next(reward: Reward, points: int) -> bool:
    return reward.unit == POINTS and reward.listed and not reward.flexible and reward.points > points


def _rewards(
    session: Session, card: Card, payable: list[Reward], store: Store | None, now: datetime
) -> tuple[RewardAtTill, ...]:
    buyer = rules.Buyer(programme_id=card.programme_id, currency=card.programme.currency, tier_id=card.tier_id)
    limited = [one.id for one in payable if one.limit_per_member is not None]
    had = _taken(session, card.id, limited) if limited else {}
    return tuple(
        RewardAtTill(
            reward=one,
            refusal=_refusal(one, buyer, store, had.get(one.id, 0), now),
            needs_basket=rules.needs_basket(one),
        )
        for one in payable
    )


def _refusal(reward: Reward, buyer: rules.Buyer, store: Store | None, had: int, now: datetime) -> AppError | None:
    """What can be said before the basket is known; the rest is said when the reward is taken."""
    found = rules.refusal(reward, buyer, rules.Wish(store=store), now=now)
    if found is not None and found.code != "basket_needed":
        return found
    if reward.stock == 0:
        return rules.conflict("out_of_stock")
    if reward.limit_total is not None and reward.used >= reward.limit_total:
        return rules.conflict("limit_of_all")
    if reward.limit_per_member is not None and had >= reward.limit_per_member:
        return rules.conflict("limit_reached")
    return None


def _taken(session: Session, card_id: int, reward_ids: list[int]) -> dict[int, int]:
    query = select(Taking.reward_id, func.count()).where(
        Taking.card_id == card_id, Taking.reward_id.in_(reward_ids), Taking.state.in_(("held", "taken", "waiting"))
    )
    return dict(session.execute(query.group_by(Taking.reward_id)).all())


def _offers(session: Session, card: Card, store: Store | None, language: str, now: datetime) -> tuple[OfferAtTill, ...]:
    """What this card may use or has used. What depends on the basket is refused when it is known."""
    found = [one for one in offers.usable_in(session, card.programme_id, now=now) if offers.is_for(one, card)]
    asking = refusals.asking_of(card, store=store, now=now)
    known = refusals.known_of(session, found, card.id, asking) if found else {}
    return tuple(
        OfferAtTill(
            offer=one,
            title=offers.words(one, language)[0],
            refusal=refusals.after(one, asking, known[one.id]),
            use=known[one.id].use,
            terms=terms.of(one.kind, one.terms, asking.currency),
        )
        for one in found
        if known[one.id].membership.is_in
    )


def _stamps(
    session: Session, card: Card, balance: _Balances, store: Store | None, language: str, now: datetime
) -> tuple[StampsAtTill, ...]:
    """Those that give stamps here, and those that the card still has a reward of."""
    found = []
    for one in stamps.of_programme(session, card.programme_id):
        is_live = stamps.is_live(one, now) and (store is None or stamps.is_at(one, store.id))
        vouchers = balance(one.voucher_unit, "avail")
        if is_live or vouchers:
            name, reward = stamps.words(one, language)
            found.append(
                StampsAtTill(
                    stamp_card=one,
                    name=name,
                    reward=reward,
                    stamps=balance(one.unit, "avail"),
                    size=one.size,
                    vouchers=vouchers,
                    by_tap=is_live and one.gives == "visit",
                )
            )
    return tuple(found)


def _open_holds(session: Session, card: Card) -> list[Hold]:
    query = select(Hold).where(Hold.card_id == card.id, Hold.state == "open")
    return list(session.scalars(query.order_by(Hold.created_at)))


def _earned_just_now(session: Session, card: Card, now: datetime) -> Entry | None:
    recent = ledger.history(session, card.id, limit=RECENT)
    undone = {entry.reverses_id for entry in recent}
    for entry in recent:
        if entry.kind == "earn" and entry.part_of_id is None and entry.id not in undone:
            return entry if now - entry.recorded_at < AGAIN_WITHIN else None
    return None


def _near_birthday(birthday: str | None, now: datetime, zone: str) -> bool:
    if not birthday:
        return False
    today = now.astimezone(ZoneInfo(zone)).date()
    days = (today + timedelta(days=offset) for offset in range(-BIRTHDAY_NEARNESS.days, BIRTHDAY_NEARNESS.days + 1))
    near = {day.strftime("%m-%d") for day in days}
    return birthday in near or (birthday == "02-29" and "02-28" in near)
