"""What the till's screen shows, as plain values for one template."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from sqlalchemy.orm import Session

from app.cards import codes
from app.cards.models import Card
from app.counter.till_view import TillView, at_till
from app.earning import words as earning_words
from app.rewards import catalogue
from app.till import bargains, choices, entries
from app.till.bargains import SaleOffer
from app.till.choices import Choice
from app.till.desk import Desk
from app.till.entries import Action, Result
from app.till.forms import new_key
from app.till.goods import page
from app.till.goods.deals import Deal
from app.till.goods.page import Goods, WaitingCode
from app.till.people.tiles import Wanted
from app.till.refusals import Refusals
from app.till.returning import Returning


@dataclass(frozen=True, kw_only=True)
class Cue:
    """Something of a customer that the cashier should notice, with the time it speaks of."""

    kind: str
    points: int = 0
    at: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenHold:
    """Points put aside for something: used up or let go by one press. No seconds left: it is over."""

    id: str
    title: str
    points: int
    seconds_left: int
    key: str = field(default_factory=new_key)
    let_go_key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """The card that is open. `history` is for managers only; `warning` is the one line that matters most."""

    view: TillView
    number: str
    factor: str
    choices: tuple[Choice, ...]
    holds: tuple[OpenHold, ...]
    missing_for_next: int
    expiring: Cue | None
    warning: Cue | None
    history: tuple[Action, ...]
    goods: Goods
    offers: tuple[SaleOffer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What must be answered first: which of two amounts, whether a deficit is accepted, what the purchase costs
    (basket), or whether what is taken off is right (discount).

    `address` and `fields`: the form that is sent again with the answer.
    """

    kind: str
    amounts: tuple[tuple[int, str], ...] = ()
    entry_id: str = ""
    missing: int = 0
    deal: Deal | None = None
    address: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    key: str = field(default_factory=new_key)


@dataclass(frozen=True, kw_only=True)
class Screen:
    """Everything on the screen. `refusal` is a sentence; `errors` stand beside fields, `typed` in them."""

    desk: Desk
    can_move: bool
    example: str
    decimal_mark: str
    serial: str = ""
    done: str = ""
    customer: Customer | None = None
    returning: Returning | None = None
    result: Result | None = None
    last: tuple[Action, ...] = ()
    question: Question | None = None
    approval: Wanted | None = None
    told: str = ""
    code: WaitingCode | None = None
    refusal: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default_factory=new_key)
    undo_key: str = field(default_factory=new_key)
    points_key: str = field(default_factory=new_key)
    stamp_key: str = field(default_factory=new_key)

    @property
    def outcome(self) -> str:
        """What the sounds say: done, refused, or nothing."""
        if self.refusal:
            return "refused"
        return "done" if (self.result or self.told) and not self.question else ""

    @property
    def undo(self) -> Action | None:
        """What the undo key would undo: the newest action, if it may be undone."""
        newest = next((action for action in self.last if action.kind != "undo" and not action.is_undone), None)
        return newest if newest is not None and newest.may_undo else None


def customer_of(
    session: Session, desk: Desk, card: Card, *, language: str, now: datetime, typed: Mapping[str, str]
) -> Customer:
    """The card that was opened, as this cashier may see it, with the offers that were ticked before."""
    view = at_till(session, card, store=desk.store, language=language, now=now)
    refusals = Refusals(session, desk, language=language, now=now)
    return Customer(
        view=view,
        number=codes.grouped(card.number),
        factor=_factor(view.tier_factor, language),
        choices=choices.best_first(view, refusals, language=language),
        holds=_holds(view, language, now),
        missing_for_next=view.next_reward.points - view.balance if view.next_reward else 0,
        expiring=_expiring(view, desk, language),
        warning=_warning(view, desk, language),
        history=entries.history_of(session, desk, card, language=language, now=now),
        goods=page.goods_of(session, desk, view, language=language, now=now),
        offers=bargains.best_first(view, refusals, typed, language),
    )


def _factor(factor: Fraction, language: str) -> str:
    """What the tier does to points, empty if nothing."""
    if factor == 1:
        return ""
    return earning_words.number(f"{Decimal(factor.numerator) / Decimal(factor.denominator):.2f}", language)


def _holds(view: TillView, language: str, now: datetime) -> tuple[OpenHold, ...]:
    titles = {f"reward:{one.public_id}": catalogue.name_in(one, language) for one in view.catalogue}
    return tuple(
        OpenHold(
            id=hold.id,
            title=titles.get(hold.about, ""),
            points=hold.amount,
            seconds_left=max(0, int((hold.expires_at - now).total_seconds())),
        )
        for hold in view.holds
    )


def _expiring(view: TillView, desk: Desk, language: str) -> Cue | None:
    """The last day on which the points can be used: they are gone at the first instant of the next."""
    if view.expiring is None:
        return None
    last_moment = view.expiring.at.astimezone(ZoneInfo(desk.timezone)) - timedelta(seconds=1)
    return Cue(kind="expiring", points=view.expiring.points, at=format_date(last_moment, "d MMM", locale=language))


def _warning(view: TillView, desk: Desk, language: str) -> Cue | None:
    if view.deficit:
        return Cue(kind="owed", points=view.deficit)
    if view.earned_just_now is not None:
        entry = view.earned_just_now
        at = format_time(entry.recorded_at, "short", tzinfo=ZoneInfo(desk.timezone), locale=language)
        return Cue(kind="again", points=entry.points, at=at)
    return None
