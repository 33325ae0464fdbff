"""What points buy: a number of points, or a reward of the catalogue; at once, or held first and captured later."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.errors import Unprocessable
from app.ledger import held as holding
from app.ledger import holds
from app.ledger import service as ledger
from app.ledger.booking import Booked, Circumstance
from app.ledger.held import Held
from app.ledger.models import Hold
from app.rewards import service as rewards
from app.rewards.models import Reward, Taking
from app.rewards.rules import Wish

NO_WISH = Wish()  # frozen


@dataclass(frozen=True, kw_only=True)
class Redeemed(Done):
    """A reward as it was given: `taking` says for how many units, and what money it takes off."""

    taking: Taking


@dataclass(frozen=True, kw_only=True)
class Reserved(Done):
    """Units that were put aside, and the reward that they are for, if any."""

    hold: Hold
    taking: Taking | None


def redeem_points(
    session: Session,
    card: Card | Held,
    points: int,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    note: str = "",
) -> Done:
    """Use up points.

    Raises: Conflict `card_not_active`; Unprocessable `insufficient` or `invalid_points`.
    """
    card = moves.usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=note)
    booked = ledger.spend(session, card, points, by=told)
    return moves.done(session, booked.card, booked, now)


def redeem_reward(
    session: Session,
    card: Card | Held,
    reward: Reward,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    wish: Wish = NO_WISH,
) -> Redeemed:
    """Give a reward for its price, or, where it has none or a code pays, for nothing. *wish* need not name the store.

    Raises: Conflict `card_not_active` or `not_eligible`; Unprocessable `insufficient`, with what there is; as
    `rewards.service.reserve`.
    """
    card = moves.usable(session, card, store)
    taking = rewards.reserve(session, card, reward, at_store(wish, store), is_hold=False, now=now)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=f"reward:{reward.public_id}")
    booked = _paid(session, card, reward, taking, told)
    taking.entry_id = booked.entry.id
    session.flush()
    return Redeemed(**vars(moves.done(session, booked.card, booked, now)), taking=taking)


def hold_reward(
    session: Session,
    card: Card | Held,
    reward: Reward,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    wish: Wish = NO_WISH,
    life: timedelta = holds.USUAL_LIFE,
) -> Reserved:
    """Put the price of a reward aside, and with it a piece of its stock, a use of its limits, a place of its slot.

    Raises: as `redeem_reward`; Unprocessable `invalid_hold`, also for a reward without a price.
    """
    card = moves.usable(session, card, store)
    if not reward.unit:
        text = "This reward costs nothing, so nothing can be held; redeem it at once."
        raise Unprocessable("invalid_hold", text, errors={"reward": text})
    taking = rewards.reserve(session, card, reward, at_store(wish, store), is_hold=True, now=now)
    about = f"reward:{reward.public_id}"
    told = moves.circumstance(card, by, now, store=store, receipt=receipt, note=about)
    placed = holds.place(session, card, taking.units, about=about, by=told, unit=reward.unit, life=life)
    taking.hold_id = placed.hold.id
    session.flush()
    done = moves.done(session, placed.booked.card, placed.booked, now)
    return Reserved(**vars(done), hold=placed.hold, taking=taking)


def hold_points(
    session: Session,
    card: Card | Held,
    points: int,
    *,
    by: Actor,
    now: datetime,
    store: Shop | None = None,
    receipt: str | None = None,
    life: timedelta = holds.USUAL_LIFE,
) -> Reserved:
    """Put points aside.

    Raises: Conflict `card_not_active`; Unprocessable `insufficient`, `invalid_points` or `invalid_hold`.
    """
    card = moves.usable(session, card, store)
    told = moves.circumstance(card, by, now, store=store, receipt=receipt)
    placed = holds.place(session, card, points, about="points", by=told, life=life)
    done = moves.done(session, placed.booked.card, placed.booked, now)
    return Reserved(**vars(done), hold=placed.hold, taking=None)


def capture(
    session: Session, hold_id: str, units: int | None, *, by: Actor, now: datetime, store: Shop | None = None
) -> Reserved:
    """Use up what was put aside, or a part of it; the rest is free again. `entry` is the capture's.

    Raises: NotFound `unknown_hold`; Conflict `hold_ended` or `card_not_active`; Unprocessable `exceeds_hold`,
    `invalid_points` or `whole_reward`.
    """
    card = moves.usable(session, holding.by_id(session, holds.by_id(session, hold_id).card_id), store)
    hold = holds.by_id(session, hold_id)  # again, now that nobody else can end it
    wanted = hold.amount if units is None else units
    if hold.state == "open" and 0 < wanted < hold.amount:
        rewards.check_part(session, hold, wanted)
    told = moves.circumstance(card, by, now, store=store, receipt=hold.receipt, note=_note(hold))
    booked = holds.capture(session, card, hold, wanted, by=told)
    taking = rewards.captured(session, hold, units=wanted, entry_id=booked.entry.id)
    return Reserved(**vars(moves.done(session, booked.card, booked, now)), hold=hold, taking=taking)


def void(session: Session, hold_id: str, *, by: Actor, now: datetime) -> Reserved:
    """Let go of what was put aside, of a card that is no longer valid too.

    Raises: NotFound `unknown_hold`; Conflict `hold_ended`.
    """
    card = holding.by_id(session, holds.by_id(session, hold_id).card_id)
    hold = holds.by_id(session, hold_id)
    told = moves.circumstance(card, by, now, note=_note(hold))
    booked = holds.let_go(session, card, hold, state="voided", by=told)
    rewards.hold_ended(session, hold, now)
    done = moves.done(session, booked.card, booked, now)
    return Reserved(**vars(done), hold=hold, taking=rewards.of_hold(session, hold.id))


def at_store(wish: Wish, store: Shop | None) -> Wish:
    """The same wish, at the store where it is said."""
    return Wish(**{**vars(wish), "store": store}) if store is not None else wish


def _paid(session: Session, card: Held, reward: Reward, taking: Taking, told: Circumstance) -> Booked:
    if not taking.units:
        return ledger.record_use(session, card, by=told)
    return ledger.spend(session, card, taking.units, by=told, unit=reward.unit)


def _note(hold: Hold) -> str:
    return hold.about if hold.about.startswith("reward:") else ""
