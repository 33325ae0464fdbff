"""Taking a reward: limits, stock and places are counted with it, and given back with it, once.

Whoever calls holds the card. What is decided here is decided by conditional updates, in one order: the code, the
reward, its day, its slot, the takings that move up. A look beforehand only finds the words.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app import ids, localtime
from app.coupons import service as coupons
from app.db import insert_if_new, rows_changed
from app.errors import Conflict, NotFound, Unprocessable
from app.ledger.held import Held
from app.ledger.models import Hold
from app.rewards import rules, slots
from app.rewards.models import Reward, RewardDay, Slot, Taking
from app.rewards.rules import Buyer, Price, Wish

IN_USE = ("held", "taken", "waiting")


def by_public_id(session: Session, public_id: str) -> Reward:
    """A reward as it stands.

    Raises: NotFound `unknown_reward`.
    """
    query = select(Reward).where(Reward.public_id == public_id).execution_options(populate_existing=True)
    reward = session.scalars(query).one_or_none()
    if reward is None:
        raise NotFound("unknown_reward", "There is no such reward.")
    return reward


def quote(session: Session, card: Held, reward: Reward, wish: Wish, *, now: datetime) -> Price:
    """What the reward would cost this card now; nothing is written.

    Raises: Conflict ended, not_started, not_eligible, wrong_store, min_spend, condition_not_met, limit_reached or
    out_of_stock; Unprocessable `basket_needed`, `invalid_points` or `insufficient`.
    """
    refused = rules.refusal(reward, _buyer(card), wish, now=now)
    if refused is not None:
        raise refused
    _check_member_limits(session, card, reward, _day(card, now))
    reason = _sold_out(session, reward, _day(card, now))
    if reason:
        raise rules.conflict(reason)
    return rules.price(reward, wish, has=card.in_unit(reward.unit), currency=card.currency)


def reserve(session: Session, card: Held, reward: Reward, wish: Wish, *, is_hold: bool, now: datetime) -> Taking:
    """Count a use of the reward for a held card: its price, its stock, its place. The units are the caller's to move.

    A hold takes a place or none: nobody waits for one with units that are only put aside.

    Raises: as `quote`; Conflict `slot_full`, `ended` or `needs_slot` of an experience.
    """
    price = quote(session, card, reward, wish, now=now)
    day = _day(card, now)
    _count(session, reward, day)
    place = None
    if reward.kind == "experience":
        place = slots.take(session, reward, replace(wish, waits=wish.waits and not is_hold), now=now)
    taking = Taking(
        public_id=ids.public_id("tak"),
        reward_id=reward.id,
        card_id=card.id,
        use_no=_last_use_no(session, card, reward) + 1,
        state="held" if is_hold else place.state if place else "taken",
        day=day,
        units=price.units,
        value_minor=price.value_minor,
        basket_minor=wish.basket_minor,
        slot_id=place.slot_id if place else None,
        store_id=wish.store.id if wish.store else None,
        created_at=now,
    )
    session.add(taking)
    session.flush()
    return taking


def captured(session: Session, hold: Hold, *, units: int, entry_id: str) -> Taking | None:
    """A hold was captured by *entry_id*: what it was for is taken. None, if it was for no reward.

    Raises: Conflict `hold_ended`.
    """
    taking = of_hold(session, hold.id)
    if taking is None:
        return None
    price = rules.part(session.get_one(Reward, taking.reward_id), units) if units != taking.units else None
    became: dict[str, object] = {"state": "taken", "entry_id": entry_id}
    if price is not None:
        became |= {"units": price.units, "value_minor": price.value_minor}
    if not _turn(session, taking, "held", became):
        raise Conflict("hold_ended", "This hold was captured, voided or has run out; it ends once.")
    return taking


def check_part(session: Session, hold: Hold, units: int) -> None:
    """See that so much of a hold can be captured, if it is for a reward.

    Raises: Unprocessable `whole_reward`.
    """
    taking = of_hold(session, hold.id)
    if taking is not None and units != taking.units:
        rules.part(session.get_one(Reward, taking.reward_id), units)


def hold_ended(session: Session, hold: Hold, now: datetime) -> None:
    """A hold was let go, by a void or by its time: its reward's stock, limits and place are free again, once."""
    taking = of_hold(session, hold.id)
    if taking is None:
        return
    _hold_reward(session, taking)
    if _turn(session, taking, "held", {"state": "ended", "ended_at": now}):
        _uncount(session, taking)


def give_back(session: Session, entry_id: str, now: datetime) -> None:
    """An entry was undone: what it took of a reward, and the code that paid for it, can be used again. Once."""
    coupons.give_back(session, entry_id)
    taking = session.scalars(select(Taking).where(Taking.entry_id == entry_id)).one_or_none()
    if taking is None:
        return
    _hold_reward(session, taking)
    was = taking.state
    if was in {"taken", "waiting"} and _turn(session, taking, was, {"state": "returned", "ended_at": now}):
        _uncount(session, taking, was_waiting=was == "waiting")


def of_hold(session: Session, hold_id: str) -> Taking | None:
    """What a hold is for, if it is for a reward."""
    query = select(Taking).where(Taking.hold_id == hold_id).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def taking_by_public_id(session: Session, public_id: str) -> Taking:
    """One use of a reward.

    Raises: NotFound `unknown_booking`.
    """
    query = select(Taking).where(Taking.public_id == public_id).execution_options(populate_existing=True)
    taking = session.scalars(query).one_or_none()
    if taking is None:
        raise NotFound("unknown_booking", "There is no such booking.")
    return taking


def to_collect(session: Session, card_id: int, *, now: datetime) -> list[tuple[Taking, Reward, Slot | None]]:
    """What a card has taken and not yet picked up or come to, the soonest first."""
    query = (
        select(Taking, Reward, Slot)
        .join(Reward, Reward.id == Taking.reward_id)
        .outerjoin(Slot, Slot.id == Taking.slot_id)
        .where(
            Taking.card_id == card_id,
            Taking.state == "taken",
            Taking.collected_at.is_(None),
            or_(Reward.pick_up, Taking.slot_id.is_not(None)),
            or_(Slot.id.is_(None), Slot.ends_at > now),
            or_(Slot.id.is_not(None), Reward.ends_at.is_(None), Reward.ends_at > now),
        )
        .order_by(Slot.starts_at, Taking.id)
    )
    return [(row[0], row[1], row[2]) for row in session.execute(query)]


def follow(session: Session, old_id: int, new_id: int) -> None:
    """Let what a card took, and waits for, be that of the new card which takes its place."""
    session.execute(update(Taking).where(Taking.card_id == old_id).values(card_id=new_id))


def at_counter(
    session: Session, card: Held, wish: Wish, *, now: datetime
) -> Sequence[tuple[Reward, Price | None, str | None]]:
    """Every reward of the card's programme with its price, or with the code of why it cannot be had now."""
    found: list[tuple[Reward, Price | None, str | None]] = []
    query = select(Reward).where(Reward.programme_id == card.programme_id, Reward.active)
    for reward in session.scalars(query.order_by(Reward.points.desc(), Reward.id)):
        try:
            price = quote(session, card, reward, wish, now=now)
        except (Conflict, Unprocessable) as refused:
            found.append((reward, None, refused.code))
        else:
            enough = card.in_unit(reward.unit) >= price.units
            found.append((reward, price, None if enough else "insufficient"))
    return found


def _buyer(card: Held) -> Buyer:
    return Buyer(programme_id=card.programme_id, currency=card.currency, tier_id=card.tier.id if card.tier else None)


def _day(card: Held, now: datetime) -> str:
    return localtime.wall_clock(now, card.timezone).date().isoformat()


def _check_member_limits(session: Session, card: Held, reward: Reward, day: str) -> None:
    for limit, of_day in ((reward.limit_per_member, None), (reward.limit_per_member_day, day)):
        if limit is not None and _uses(session, card, reward, of_day) >= limit:
            raise rules.conflict("limit_reached")


def _uses(session: Session, card: Held, reward: Reward, day: str | None) -> int:
    query = select(func.count()).where(
        Taking.card_id == card.id, Taking.reward_id == reward.id, Taking.state.in_(IN_USE)
    )
    return session.scalar(query if day is None else query.where(Taking.day == day)) or 0


def _last_use_no(session: Session, card: Held, reward: Reward) -> int:
    query = select(func.max(Taking.use_no)).where(Taking.card_id == card.id, Taking.reward_id == reward.id)
    return session.scalar(query) or 0


def _sold_out(session: Session, reward: Reward, day: str) -> str | None:
    if reward.stock is not None and reward.stock <= 0:
        return "out_of_stock"
    if reward.limit_total is not None and reward.used >= reward.limit_total:
        return "limit_of_all"
    if reward.limit_per_day is not None and _used_on(session, reward, day) >= reward.limit_per_day:
        return "limit_of_day"
    return None


def _used_on(session: Session, reward: Reward, day: str) -> int:
    counted = session.scalar(select(RewardDay.used).where(RewardDay.reward_id == reward.id, RewardDay.day == day))
    if counted is not None:
        return counted
    query = select(func.count()).where(Taking.reward_id == reward.id, Taking.day == day, Taking.state.in_(IN_USE))
    return session.scalar(query) or 0


def _count(session: Session, reward: Reward, day: str) -> None:
    counted = (
        update(Reward)
        .where(
            Reward.id == reward.id,
            Reward.active,
            or_(Reward.limit_total.is_(None), Reward.used < Reward.limit_total),
            or_(Reward.stock.is_(None), Reward.stock > 0),
        )
        .values(used=Reward.used + 1, stock=Reward.stock - 1)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, counted) != 1:
        session.refresh(reward)
        raise rules.conflict(_sold_out(session, reward, day) or "not_eligible")
    if reward.limit_per_day is not None:
        _count_day(session, reward, day)


def _count_day(session: Session, reward: Reward, day: str) -> None:
    """The first use of a day counts what was used before the limit was set; the reward's row is locked by now."""
    insert_if_new(session, RewardDay, reward_id=reward.id, day=day, used=_used_on(session, reward, day))
    counted = (
        update(RewardDay)
        .where(RewardDay.reward_id == reward.id, RewardDay.day == day, RewardDay.used < reward.limit_per_day)
        .values(used=RewardDay.used + 1)
        .execution_options(synchronize_session=False)
    )
    if rows_changed(session, counted) != 1:
        raise rules.conflict("limit_of_day")


def _hold_reward(session: Session, taking: Taking) -> None:
    """Lock the reward before the taking: somebody else who gives a place up may be moving this one up, and was then to
    wait for the reward in turn. What the taking is by then is read."""
    query = select(Reward.id).where(Reward.id == taking.reward_id)
    session.execute(query.with_for_update(key_share=True))
    session.refresh(taking)


def _turn(session: Session, taking: Taking, was: str, became: dict[str, object]) -> bool:
    """Bring a taking from one state to another; False if somebody else did."""
    turned = update(Taking).where(Taking.id == taking.id, Taking.state == was).values(**became)
    done = rows_changed(session, turned.execution_options(synchronize_session=False)) == 1
    session.refresh(taking)
    return done


def _uncount(session: Session, taking: Taking, *, was_waiting: bool = False) -> None:
    quiet = {"synchronize_session": False}
    back = update(Reward).where(Reward.id == taking.reward_id).values(used=Reward.used - 1, stock=Reward.stock + 1)
    session.execute(back.execution_options(**quiet))
    of_day = update(RewardDay).where(
        RewardDay.reward_id == taking.reward_id, RewardDay.day == taking.day, RewardDay.used > 0
    )
    session.execute(of_day.values(used=RewardDay.used - 1).execution_options(**quiet))
    if taking.slot_id is not None:
        slots.free(session, taking.slot_id, was_waiting=was_waiting)
