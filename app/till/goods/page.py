"""What stands on the open card besides points: what waits to be handed over, dates, a goal, money, and a code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import i18n, money
from app.counter.till_view import TillView
from app.coupons.models import Batch
from app.errors import AppError
from app.ledger.held import POINTS
from app.offers import service as offers
from app.rewards import catalogue, goals, rules
from app.rewards import service as rewards
from app.rewards.models import Reward, Slot
from app.till.desk import Desk
from app.till.forms import new_key
from app.till.goods.actions import usable_code

DATES_SHOWN = 6
MOST_DATES = 200
SHOWN_OF_CODE = 4


@dataclass(frozen=True, kw_only=True)
class ToCollect:
    """Something taken before and not yet handed over; `at`: when its doors open, empty for goods."""

    booking: str
    title: str
    at: str
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Wished:
    """A reward that a card can save for, or does: `points` is what it costs, `missing` what is not there yet."""

    public_id: str
    title: str
    points: int
    missing: int
    share: int
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Date:
    """A date of an experience, and how many places it still has."""

    public_id: str
    at: str
    left: int


@dataclass(frozen=True, kw_only=True)
class Bookable:
    """An experience that the card can pay; `points` 0: it costs nothing."""

    public_id: str
    title: str
    points: int
    is_stamps: bool
    dates: tuple[Date, ...]
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Goods:
    """Money is as shown, empty where there is none."""

    collect: tuple[ToCollect, ...]
    goal: Wished | None
    wishes: tuple[Wished, ...]
    bookable: tuple[Bookable, ...]
    money: str
    bonus: str
    code_key: str = field(default_factory=new_key)
    drop_key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class WaitingCode:
    """A code that was scanned before any card. `code`: as it was typed; `gives`: what it is for, in words."""

    code: str
    last: str
    gives: str
    key: str = field(default_factory=new_key)


def goods_of(session: Session, desk: Desk, view: TillView, *, language: str, now: datetime) -> Goods:
    """Gathered in a fixed number of statements, whatever the card has behind it."""
    currency = desk.programme.currency
    found = goals.of_card(session, view.card.id)
    goal = found[1] if found else None
    out_of_reach = [one for one in view.catalogue if _can_be_goal(one, now) and one.points > view.balance]
    wishes = [one for one in out_of_reach if goal is None or one.id != goal.id]
    return Goods(
        collect=_to_collect(session, desk, view, language, now),
        goal=_wished(goal, view.balance, language) if goal else None,
        wishes=tuple(_wished(one, view.balance, language) for one in wishes),
        bookable=_bookable(session, desk, view, language, now),
        money=_shown(view.by_unit.get(currency, 0), currency, language),
        bonus=_shown(view.by_unit.get(f"bonus:{currency}", 0), currency, language),
    )


def waiting_code(session: Session, desk: Desk, code: str, *, language: str, now: datetime) -> WaitingCode | None:
    """The code that waits for a card; None if it can no longer be used."""
    try:
        found = usable_code(session, desk, code, now=now)
    except AppError:
        return None
    return WaitingCode(code=code, last=code[-SHOWN_OF_CODE:], gives=gives(session, found.batch, language))


def gives(session: Session, batch: Batch, language: str) -> str:
    """What a code of this batch gives, in words."""
    if batch.gives == "points":
        return i18n.text(language, "%(points)s points", points=batch.points)
    if batch.gives == "offer":
        return offers.words(offers.by_id(session, batch.subject), language)[0]
    return catalogue.name_in(rewards.by_public_id(session, batch.subject), language)


def _shown(minor: int, currency: str, language: str) -> str:
    return money.shown(minor, currency, language) if minor else ""


def _can_be_goal(reward: Reward, now: datetime) -> bool:
    in_time = reward.ends_at is None or reward.ends_at > now
    return reward.unit == POINTS and not reward.flexible and reward.listed and in_time


def _wished(reward: Reward, balance: int, language: str) -> Wished:
    return Wished(
        public_id=reward.public_id,
        title=catalogue.name_in(reward, language),
        points=reward.points,
        missing=max(0, reward.points - balance),
        share=min(100, max(0, balance) * 100 // max(1, reward.points)),
    )


def _to_collect(session: Session, desk: Desk, view: TillView, language: str, now: datetime) -> tuple[ToCollect, ...]:
    return tuple(
        ToCollect(
            booking=taking.public_id,
            title=catalogue.name_in(reward, language),
            at=_at(slot.starts_at, desk, language) if slot else "",
        )
        for taking, reward, slot in rewards.to_collect(session, view.card.id, now=now)
    )


def _bookable(session: Session, desk: Desk, view: TillView, language: str, now: datetime) -> tuple[Bookable, ...]:
    buyer = rules.Buyer(
        programme_id=view.card.programme_id, currency=desk.programme.currency, tier_id=view.card.tier_id
    )
    wish = rules.Wish(store=desk.store)
    payable = [
        one
        for one in view.catalogue
        if one.kind == "experience"
        and (not one.unit or view.by_unit.get(one.unit, 0) >= one.points)
        and rules.refusal(one, buyer, wish, now=now) is None
    ]
    dates = _dates(session, [one.id for one in payable], now) if payable else []
    found = (
        Bookable(
            public_id=one.public_id,
            title=catalogue.name_in(one, language),
            points=one.points,
            is_stamps=one.unit not in ("", POINTS),
            dates=tuple(
                Date(public_id=slot.public_id, at=_at(slot.starts_at, desk, language), left=slot.capacity - slot.taken)
                for slot in dates
                if slot.reward_id == one.id
            )[:DATES_SHOWN],
        )
        for one in payable
    )
    return tuple(one for one in found if one.dates)


def _dates(session: Session, reward_ids: list[int], now: datetime) -> Sequence[Slot]:
    query = select(Slot).where(Slot.reward_id.in_(reward_ids), Slot.cancelled.is_(False), Slot.starts_at > now)
    return session.scalars(query.order_by(Slot.starts_at).limit(MOST_DATES)).all()


def _at(moment: datetime, desk: Desk, language: str) -> str:
    return str(format_datetime(moment, "EEE d MMM, HH:mm", tzinfo=ZoneInfo(desk.timezone), locale=language))
