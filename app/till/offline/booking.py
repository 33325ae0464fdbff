"""What a till kept is booked: by the cashier who made it, at the time it was made, with the store it was made in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from app import idempotency, localtime
from app.counter import rewarding, sales, stamping
from app.counter.moves import Actor
from app.counter.pricing import Sale
from app.errors import Conflict, Forbidden, NotFound, Unprocessable
from app.ledger import held
from app.ledger.held import Held
from app.ledger.models import Entry
from app.staff.guards import StaffIdentity
from app.staff.models import Staff
from app.stamps import service as stamps
from app.till.desk import Desk
from app.till.models import OfflineRules, OfflineSale
from app.till.offline import rules
from app.till.offline.forms import Kept
from app.till.offline.rules import Timing
from app.till.repeats import scope_of
from app.till.rules import sale_limit_minor

ALLOWED_WITHOUT_ROW = OfflineRules(stamps=True, points_per_day=0)


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who brings a queue: `places` are all they may stand at, by public id; `terminal` is the browser's own name."""

    who: StaffIdentity
    places: Mapping[str, Desk]
    terminal: str


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One item on its way into the ledger. `made_by` is the cashier who kept it; `manager` vouches for it, if any."""

    here: Desk
    kept: Kept
    timing: Timing
    made_by: Staff
    sent_by: StaffIdentity
    is_vouched: bool = False

    @property
    def actor(self) -> Actor:
        return Actor(name=f"staff:{self.made_by.public_id}", channel="till")

    @property
    def note(self) -> str:
        """Where somebody else than the cashier brought it, the entry names both."""
        return "offline" if self.sent_by.id == self.made_by.id else f"offline, sent by {self.sent_by.actor}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of it. `flags` as in `models.OfflineSale`; `lost` points were given away that were not there."""

    entry_id: str | None
    flags: Sequence[str] = ()
    lost: int = 0


def rules_of(session: Session, store_id: int | None) -> OfflineRules:
    """What a store allows without a connection."""
    found = session.get(OfflineRules, store_id) if store_id is not None else None
    return found or ALLOWED_WITHOUT_ROW


def stamp_cards(session: Session, here: Desk, *, language: str, now: datetime) -> list[dict[str, str]]:
    """The stamp cards on which this place may give a stamp by hand without a connection, by id and name."""
    store_id = here.choice.store_id
    if not rules_of(session, store_id).stamps:
        return []
    live = stamps.live(session, here.programme.id, now=now, store_id=store_id)
    by_hand = [one for one in live if one.gives == "visit"]  # the others are stamped by the sale itself
    return [{"id": one.public_id, "name": one.texts.get(language, {}).get("name") or one.name} for one in by_hand]


def made_by(session: Session, here: Desk, public_id: str) -> Staff:
    """The cashier who kept an item.

    Raises: NotFound `unknown_cashier`.
    """
    found = session.scalars(select(Staff).where(Staff.public_id == public_id)).one_or_none()
    if found is None or found.programme_id not in (None, here.programme.id):
        raise NotFound("unknown_cashier", "Nobody here made this. Accept it to book it in your own name.")
    return found


def book(session: Session, booking: Booking, *, now: datetime) -> Result:
    """Move the units of one item.

    Raises: NotFound `unknown_code`; Conflict `void_card`, `duplicate_receipt`, or `already_booked`, if the form that it
    was typed into has booked it; Forbidden `needs_manager` or `offline_not_allowed`; as the services of the counter.
    """
    kept = booking.kept
    _check_form(session, booking, now=now)
    card = _card(session, booking)
    work = {"earn": _earn, "redeem": _redeem, "stamp": _stamp}[kept.kind]
    result = work(session, booking, card, now=now)
    _settle_form(session, booking, result)
    return replace(result, flags=(*result.flags, *([rules.CLOCK] if booking.timing.is_clock_wrong else [])))


def _card(session: Session, booking: Booking) -> Held:
    unknown = NotFound("unknown_code", "Card not found.")
    try:
        card = held.by_number(session, booking.kept.number)
    except NotFound:
        raise unknown from None
    if card.programme_id != booking.here.programme.id:
        raise unknown
    if card.status != "active":
        raise Conflict("void_card", "This card was replaced. Ask for the new one.")
    return card


def _earn(session: Session, booking: Booking, card: Held, *, now: datetime) -> Result:
    kept, amount_minor = booking.kept, booking.kept.amount_minor or 0
    if amount_minor > sale_limit_minor(booking.here.programme.currency) and not booking.is_vouched:
        raise Forbidden("needs_manager", "This amount needs a manager.")
    flags = [rules.TWICE] if _looks_like_twice(session, kept, card) else []
    sale = Sale(
        amount_minor=amount_minor,
        currency=kept.currency,
        receipt=kept.receipt,
        store=booking.here.store,
        occurred_at=booking.timing.occurred_at,
        note=booking.note,
    )
    done = sales.earn(session, card, sale, by=booking.actor, now=now)
    return Result(entry_id=done.entry.id, flags=flags)


def _redeem(session: Session, booking: Booking, card: Held, *, now: datetime) -> Result:
    """The goods are gone already: what the card has is taken, and what it lacks is a loss, never a debt."""
    kept, points = booking.kept, booking.kept.points or 0
    allowed = rules_of(session, booking.here.choice.store_id).points_per_day
    if points > allowed and not booking.is_vouched:
        raise Forbidden("offline_not_allowed", "This store redeems nothing, or less, without a connection.")
    spent = _spent_that_day(session, booking, card)
    flags = [rules.ALLOWANCE] if points + spent > allowed else []
    there = min(points, card.balance)
    lost = points - there
    entry_id = None
    if there:
        done = rewarding.redeem_points(
            session, card, there, by=booking.actor, now=now, store=booking.here.store, receipt=kept.receipt,
            note=booking.note,
        )  # fmt: skip
        entry_id = done.entry.id
    return Result(entry_id=entry_id, flags=[*flags, *([rules.LOSS] if lost else [])], lost=lost)


def _stamp(session: Session, booking: Booking, card: Held, *, now: datetime) -> Result:
    kept, store = booking.kept, booking.here.store
    if not rules_of(session, booking.here.choice.store_id).stamps and not booking.is_vouched:
        raise Forbidden("stamps_not_allowed", "This store gives no stamps without a connection.")
    stamp_card = stamps.by_id(session, kept.stamp_card or "")
    done = stamping.stamp(
        session, card, stamp_card, by=booking.actor, now=now, store=store, receipt=kept.receipt,
        is_manager=booking.is_vouched, note=booking.note,
    )  # fmt: skip
    return Result(entry_id=done.entry.id)


def _looks_like_twice(session: Session, kept: Kept, card: Held) -> bool:
    """Whether the same amount was booked on the same card within a minute, without two receipts to tell them apart."""
    around = (kept.made_at - rules.TWICE_WITHIN, kept.made_at + rules.TWICE_WITHIN)
    same: ColumnElement[bool] = and_(
        Entry.card_id == card.id,
        Entry.kind == "earn",
        Entry.amount_minor == kept.amount_minor,
        Entry.occurred_at.between(*around),
    )
    if kept.receipt is not None:
        same = and_(same, Entry.receipt.is_(None))
    return bool(session.scalar(select(exists().where(same))))


def _spent_that_day(session: Session, booking: Booking, card: Held) -> int:
    """Points that this card spent at this store's tills without a connection on the local day of the item."""
    day = localtime.wall_clock(booking.kept.made_at, booking.here.timezone).date()
    begin = localtime.start_of_day(day, booking.here.timezone)
    query = select(func.coalesce(func.sum(OfflineSale.points), 0)).where(
        OfflineSale.programme_id == booking.here.programme.id,
        OfflineSale.number == card.number,
        OfflineSale.kind == "redeem",
        OfflineSale.status == "applied",
        OfflineSale.store_id == booking.here.choice.store_id,
        OfflineSale.made_at >= begin,
        OfflineSale.made_at < localtime.start_of_day(day + timedelta(days=1), booking.here.timezone),
    )
    return int(session.scalar(query) or 0)


def _form_scope(booking: Booking) -> str:
    """The same as of the forms on the till's screen: whichever of the two arrives second books nothing."""
    return scope_of(booking.made_by.id)


def _check_form(session: Session, booking: Booking, *, now: datetime) -> None:
    key = booking.kept.form_key
    if key is None:
        return
    digest = idempotency.request_hash("POST", "offline", booking.kept.client_id.encode())
    try:
        idempotency.begin(session, _form_scope(booking), idempotency.check_key(key), digest, now=now)
    except Unprocessable:
        raise Conflict("already_booked", "This was booked before the connection was lost.") from None


def _settle_form(session: Session, booking: Booking, result: Result) -> None:
    if booking.kept.form_key is not None:
        scope, answer = _form_scope(booking), result.entry_id or ""
        idempotency.finish(session, scope, booking.kept.form_key, status=201, answer=answer)
