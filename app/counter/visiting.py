"""What is taken now and had later: bookings given up, gifts handed out, dates that are over; and what is saved for."""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.models import Card
from app.counter import moves
from app.counter.moves import Actor, Done, Shop
from app.gate import Priority
from app.ledger import held as holding
from app.ledger import reversals
from app.ledger import service as ledger
from app.ledger.held import Held
from app.outbox.service import Lane
from app.rewards import catalogue, goals, slots
from app.rewards import service as rewards
from app.rewards.models import Goal, Reward, Taking
from app.world import World

TIME = Actor(name="system:time", channel="job")
TAKINGS_AT_ONCE = 50
CARDS_AT_ONCE = 500


def cancel(session: Session, booking: str, *, by: Actor, now: datetime) -> Done:
    """Give a place up: its price comes back, and whoever waits for it moves up.

    Raises: NotFound `unknown_booking`; Conflict `already_used`, `too_late` or `not_taken`.
    """
    card, taking = _held_taking(session, booking)
    slots.check_cancellable(session, taking, session.get_one(Reward, taking.reward_id), now=now)
    return _undone(session, card, taking, by=by, reason="cancelled", now=now)


def collect(session: Session, booking: str, *, store: Shop | None, now: datetime) -> Taking:
    """Hand out what was taken, or let the member in; the scan counts once.

    Raises: NotFound `unknown_booking`; Conflict `card_not_active`, `already_used`, `not_started`, `ended` or
    `not_taken`.
    """
    card, taking = _held_taking(session, booking)
    moves.usable(session, card, store)
    reward = session.get_one(Reward, taking.reward_id)
    slots.collect(session, taking, reward, store_id=store.id if store else None, now=now)
    return taking


def settle_slots(world: World) -> int:
    """Of dates that are over or called off, give the price back to who waited in vain, and, where the reward says so,
    to who did not come; how many bookings it was. Each is a transaction of its own, and happens once."""
    with world.database.reading() as reading:
        due = slots.due(reading, now=world.clock())
    return sum(_settle(world, slot_id) for slot_id in due)


def turn_windows(world: World) -> int:
    """Bring rewards that have started onto the cards, and take those that are over off them; how many it was."""
    with world.database.reading() as reading:
        if not catalogue.windows_due(reading, now=world.clock()):
            return 0
    return world.database.transact(partial(catalogue.turn_windows, now=world.clock()))


def choose_goal(session: Session, card: Held, reward: Reward, *, by: Actor, now: datetime) -> Goal:
    """Let a card save for a reward; its face shows how far it is.

    Raises: Conflict `card_not_active` or `not_eligible`.
    """
    card = moves.usable(session, card, None)
    goal = goals.choose(session, card, reward, by=by.name, now=now)
    _touch(session, card, now)
    return goal


def keep_goals(world: World) -> int:
    """Give points that were earned since a goal was chosen its longer life; how many cards it was."""
    done, after = 0, -1
    while True:
        with world.database.reading() as reading:
            found = goals.cards_to_keep(reading, now=world.clock(), after=after, limit=CARDS_AT_ONCE)
        if not found:
            return done
        for card_id in found:
            keep = partial(_kept, card_id=card_id, now=world.clock())
            done += world.database.transact(keep, priority=Priority.BULK)
        after = found[-1]


def drop_goal(session: Session, card: Held, *, now: datetime) -> None:
    """Save for nothing in particular.

    Raises: Conflict `card_not_active`.
    """
    card = moves.usable(session, card, None)
    if goals.drop(session, card):
        _touch(session, card, now)


def _held_taking(session: Session, booking: str) -> tuple[Held, Taking]:
    card = holding.by_id(session, rewards.taking_by_public_id(session, booking).card_id)
    return card, rewards.taking_by_public_id(session, booking)


def _undone(session: Session, card: Held, taking: Taking, *, by: Actor, reason: str, now: datetime) -> Done:
    assert taking.entry_id is not None  # noqa: S101  # for the type checker: only what was paid comes here
    told = moves.circumstance(card, by, now, note=reason)
    booked = reversals.reverse(session, card, ledger.by_id(session, taking.entry_id), by=told)
    rewards.give_back(session, taking.entry_id, now)
    return moves.done(session, booked.card, booked, now)


def _settle(world: World, slot_id: int) -> int:
    with world.database.reading() as reading:
        owed = [one.public_id for one in slots.owed(reading, slot_id, limit=TAKINGS_AT_ONCE)]
    done = sum(
        world.database.transact(partial(_returned, slot_id=slot_id, booking=one, now=world.clock())) for one in owed
    )
    if not owed:
        world.database.transact(lambda s: slots.settled(s, slot_id, now=world.clock()))
    return done


def _returned(session: Session, slot_id: int, booking: str, now: datetime) -> bool:
    card, taking = _held_taking(session, booking)
    if not slots.owed(session, slot_id, limit=1, booking=taking.id):
        return False  # collected or cancelled meanwhile
    _undone(session, card, taking, by=TIME, reason="not attended", now=now)
    return True


def _kept(session: Session, card_id: int, now: datetime) -> bool:
    return goals.keep(session, holding.by_id(session, card_id), now=now) > 0


def _touch(session: Session, card: Held, now: datetime) -> None:
    row = session.get_one(Card, card.id, populate_existing=True)
    cards.touch(session, row, lane=Lane.NORMAL, now=now)
