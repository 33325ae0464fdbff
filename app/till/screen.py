"""What the till's screen shows, as plain values for one template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_time
from sqlalchemy.orm import Session

from app import money
from app.cards import codes
from app.cards.models import Card
from app.counter.returns import UNDO_WINDOW
from app.counter.till_view import TillView, at_till
from app.ledger import service as ledger
from app.ledger.models import Entry, Reward
from app.offers import service as offers
from app.till import queries
from app.till.desk import Desk
from app.till.forms import new_key
from app.till.rules import LAST_ACTIONS, RECENT_WITHIN, SERIAL

PICKS = 9


@dataclass(frozen=True, kw_only=True)
class Action:
    """An entry as cashiers read it. `what`: the reward's or offer's name; `amount`: the sale, as money."""

    id: str
    kind: str
    points: int
    what: str
    amount: str
    card: str
    time: str
    is_undone: bool
    may_undo: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was just done, large, with the balance it led to and the seconds in which it can be undone."""

    action: Action
    balance: int
    deficit: int
    seconds_left: int


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A reward or offer to press. `pick` is its digit, 0 when it has none; `refusal` a code when it cannot be used."""

    kind: str
    public_id: str
    title: str
    points: int
    pick: int
    refusal: str | None
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """The card that is open. `history` is for managers only."""

    view: TillView
    number: str
    choices: tuple[Choice, ...]
    missing_for_next: int
    history: tuple[Action, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What must be answered first: which of two amounts, or whether a deficit is accepted."""

    kind: str
    amounts: tuple[tuple[int, str], ...] = ()
    entry_id: str = ""
    missing: int = 0
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Everything on the screen. `refusal` is a sentence; `errors` stand beside fields, `typed` in them."""

    desk: Desk
    can_move: bool
    path: str
    example: str
    customer: Customer | None = None
    result: Result | None = None
    last: tuple[Action, ...] = ()
    question: Question | None = None
    refusal: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    undo_key: str = field(default_factory=new_key)

    @property
    def outcome(self) -> str:
        """What the sounds say: done, refused, or nothing."""
        if self.refusal:
            return "refused"
        return "done" if self.result and not self.question else ""

    @property
    def undo(self) -> Action | None:
        """What the undo key would undo: the newest action, if it may be undone."""
        newest = next((action for action in self.last if action.kind != "reverse" and not action.is_undone), None)
        return newest if newest is not None and newest.may_undo else None


def customer_of(session: Session, desk: Desk, card: Card, *, language: str, now: datetime) -> Customer:
    """The card that was opened, as this cashier may see it."""
    view = at_till(session, card, store=desk.store, actor=desk.who.actor, language=language, now=now)
    undone = {entry.reverses_id for entry in view.recent}
    rows = [(entry, card.number, entry.id in undone) for entry in view.recent] if desk.manages else []
    return Customer(
        view=view,
        number=codes.grouped(card.number),
        choices=_choices(view, language),
        missing_for_next=view.next_reward.points - view.balance if view.next_reward else 0,
        history=actions_of(session, desk, rows, language=language, now=now),
    )


def last_actions(session: Session, desk: Desk, *, language: str, now: datetime) -> tuple[Action, ...]:
    """The cashier's latest doings at this store."""
    wanted = queries.last_entries(
        programme_id=desk.programme.id,
        actor=desk.who.actor,
        store_id=desk.store.id if desk.store else None,
        now=now,
        within=RECENT_WITHIN,
        limit=LAST_ACTIONS,
    )
    rows = [tuple(row) for row in session.execute(wanted)]
    return actions_of(session, desk, rows, language=language, now=now)


def result_of(session: Session, desk: Desk, entry_id: str, *, language: str, now: datetime) -> Result | None:
    """The entry named in the page's address, if this cashier or a manager may look at it."""
    if not SERIAL.fullmatch(entry_id):
        return None
    row = session.execute(queries.entry_of(desk.programme.id, entry_id)).one_or_none()
    if row is None or not (row[0].actor == desk.who.actor or desk.manages):
        return None
    entry: Entry = row[0]
    card = session.get_one(Card, entry.card_id)
    (action,) = actions_of(session, desk, [tuple(row)], language=language, now=now)
    left = entry.recorded_at + UNDO_WINDOW - now
    return Result(
        action=action,
        balance=ledger.balance_of(session, card.member_id),
        deficit=ledger.deficit_of(session, card.member_id),
        seconds_left=max(0, int(left.total_seconds())),
    )


def actions_of(
    session: Session, desk: Desk, rows: Sequence[tuple[Any, ...]], *, language: str, now: datetime
) -> tuple[Action, ...]:
    """Entries with their card's number and whether they were undone, in words; names are read in two statements."""
    names = _names(session, [entry for entry, _, _ in rows], language)
    return tuple(
        _action(entry, number, undone, desk=desk, what=names.get(entry.note, ""), language=language, now=now)
        for entry, number, undone in rows
    )


def _action(entry: Entry, number: str, undone: bool, *, desk: Desk, what: str, language: str, now: datetime) -> Action:
    own = entry.actor == desk.who.actor and entry.store_id == (desk.store.id if desk.store else None)
    in_time = desk.manages or (own and now - entry.recorded_at <= UNDO_WINDOW)
    has_amount = entry.amount_minor is not None and entry.currency is not None
    return Action(
        id=entry.id,
        kind=entry.kind,
        points=entry.points,
        what=what,
        amount=money.shown(entry.amount_minor or 0, entry.currency or "", language) if has_amount else "",
        card=number[-4:],
        time=format_time(entry.recorded_at, "short", tzinfo=ZoneInfo(desk.timezone), locale=language),
        is_undone=bool(undone),
        may_undo=in_time and not undone and entry.kind != "reverse",
    )


def _names(session: Session, entries: list[Entry], language: str) -> dict[str, str]:
    notes = {entry.note for entry in entries}
    rewards = [note.removeprefix("reward:") for note in notes if note.startswith("reward:")]
    used = [note.removeprefix("offer:") for note in notes if note.startswith("offer:")]
    names: dict[str, str] = {}
    if rewards:
        found = session.scalars(queries.rewards_named(rewards))
        names |= {f"reward:{reward.public_id}": _reward_name(reward, language) for reward in found}
    if used:
        found_offers = session.scalars(queries.offers_named(used))
        names |= {f"offer:{offer.public_id}": offers.words(offer, language)[0] for offer in found_offers}
    return names


def _reward_name(reward: Reward, language: str) -> str:
    return reward.texts.get(language) or reward.name


def _choices(view: TillView, language: str) -> tuple[Choice, ...]:
    """Best first: offers cost nothing, then the rewards, dearest first; what cannot be used stands last."""
    usable = [(one.offer, one.title, one.refusal) for one in view.offers]
    found = [("offer", offer.public_id, title, 0, refusal) for offer, title, refusal in usable]
    found += [("reward", one.public_id, _reward_name(one, language), one.points, None) for one in view.rewards]
    found.sort(key=lambda one: one[4] is not None)
    return tuple(
        Choice(
            kind=kind,
            public_id=name,
            title=title,
            points=points,
            refusal=refusal,
            pick=place if place <= PICKS and refusal is None else 0,
        )
        for place, (kind, name, title, points, refusal) in enumerate(found, start=1)
    )
