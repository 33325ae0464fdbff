"""A till's queue comes in: each item once, for ever; what cannot be booked waits for a manager and is not lost."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from app import failpoints, idempotency
from app.db import insert_if_new, rows_changed
from app.errors import AppError, Conflict, NotFound, Unprocessable
from app.ids import public_id
from app.staff import audit
from app.staff.models import Staff
from app.till.desk import Desk
from app.till.models import OfflineRules, OfflineSale
from app.till.offline import booking, rules
from app.till.offline.booking import Booking, Result, Sender
from app.till.offline.forms import Kept
from app.till.offline.rules import Timing

SCOPE = f"{idempotency.KEPT_FOR_EVER}:till-offline"
SETTLED = Timing(occurred_at=None, is_too_old=False)
LONGEST_NOTE = 200


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A batch as it came in. `sent_at`: the till's clock at that moment."""

    sender: Sender
    sent_at: datetime


def receive(session: Session, arrival: Arrival, kept: Kept, *, now: datetime) -> tuple[OfflineSale, bool]:
    """Book one item, or find what became of it before (True): a repeated sending changes nothing.

    Raises: every refusal. Then nothing is stored; `keep_refused` stores it, in a transaction of its own. Unprocessable
    `wrong_store` alone is not to be stored: the sender does not belong there.
    """
    here = place_of(arrival.sender, kept)
    earlier = _begin(session, kept, now=now)
    if earlier is not None:
        return earlier, True
    timing = rules.timing(kept.made_at, sent_at=arrival.sent_at, now=now)
    if timing.is_too_old:
        raise Conflict("too_old", "This is more than 72 hours old.")
    item = Booking(
        here=here,
        kept=kept,
        timing=timing,
        made_by=booking.made_by(session, here, kept.cashier),
        sent_by=arrival.sender.who,
        is_vouched=arrival.sender.who.may("manager"),
    )
    result = booking.book(session, item, now=now)
    row = _keep(session, arrival, kept, result, now=now)
    failpoints.reached("offline.before_commit")
    return row, False


def keep_refused(
    session: Session, arrival: Arrival, kept: Kept, refusal: AppError, *, now: datetime
) -> tuple[OfflineSale, bool]:
    """Store what could not be booked, with the reason, where a manager finds it; True if that was done before."""
    earlier = _begin(session, kept, now=now)
    if earlier is not None:
        return earlier, True
    return _keep(session, arrival, kept, refusal, now=now), False


def place_of(sender: Sender, kept: Kept) -> Desk:
    """Where an item was made.

    Raises: Unprocessable `wrong_store`, if the sender has nothing to do there.
    """
    if kept.place not in sender.places:
        raise Unprocessable("wrong_store", "This was made in another store. Somebody who works there can send it.")
    return sender.places[kept.place]


def accept(session: Session, here: Desk, sale_id: str, *, number: str | None, note: str, now: datetime) -> OfflineSale:
    """Book what was refused, now and on the manager's word; `number` is the right card, where the code was wrong.

    Raises: NotFound `unknown_item`; Conflict `already_settled` or `cannot_accept`; as the booking itself.
    """
    row = _open_row(session, here, sale_id)
    if row.status != "refused":
        raise Conflict("cannot_accept", "This is booked already; set it aside, or undo the sale on the card.")
    if number is not None:
        row.number = number
    maker = session.scalars(select(Staff).where(Staff.public_id == row.cashier)).one_or_none()
    item = Booking(
        here=here,
        kept=_kept_again(row),
        timing=SETTLED,
        made_by=maker or session.get_one(Staff, here.who.id),
        sent_by=here.who,
        is_vouched=True,
    )
    result = booking.book(session, item, now=now)
    row.status, row.entry_id, row.lost = "applied", result.entry_id, result.lost
    row.flags = [flag for flag in result.flags if flag != rules.CLOCK]
    _settle(session, here, row, "offline_sale_accepted", note=note, now=now)
    return row


def dismiss(session: Session, here: Desk, sale_id: str, *, note: str, now: datetime) -> OfflineSale:
    """Set an item aside, with a reason; what was booked stays booked.

    Raises: NotFound `unknown_item`; Conflict `already_settled`; Unprocessable `reason_missing`.
    """
    row = _open_row(session, here, sale_id)
    if not 1 <= len(note.strip()) <= LONGEST_NOTE or not note.strip().isprintable():
        text = "Write the reason in a few words, at most 200 characters."
        raise Unprocessable("reason_missing", text, errors={"note": text})
    if row.status == "refused":
        row.status = "dismissed"
    _settle(session, here, row, "offline_sale_dismissed", note=note.strip(), now=now)
    return row


def note_flagged(session: Session, here: Desk, *, now: datetime) -> int:
    """Take note of all that was booked with a remark about the till's clock; how many they were."""
    wanted = [
        row
        for row in session.scalars(_open_of(here).where(OfflineSale.status == "applied"))
        if row.flags == [rules.CLOCK]
    ]
    for row in wanted:
        row.is_open, row.settled_by, row.settled_at = False, here.who.actor, now
    if wanted:
        subject = f"store:{here.store.public_id}" if here.store else f"programme:{here.programme.public_id}"
        after = {"noted": len(wanted)}
        audit.record(session, actor=here.who.actor, action="offline_clock_noted", subject=subject, after=after, now=now)
    return len(wanted)


def allow(session: Session, here: Desk, *, stamps: bool, points_per_day: int, now: datetime) -> OfflineRules:
    """Say what this store's tills may do without a connection.

    Raises: Conflict `no_store`, where the programme has none.
    """
    if here.store is None:
        raise Conflict("no_store", "This programme has no stores. Its tills redeem nothing without a connection.")
    values = {"stamps": stamps, "points_per_day": points_per_day, "changed_at": now}
    before = booking.rules_of(session, here.store.id)
    told = {"stamps": before.stamps, "points_per_day": before.points_per_day}
    if not insert_if_new(session, OfflineRules, store_id=here.store.id, **values):
        rows_changed(session, update(OfflineRules).where(OfflineRules.store_id == here.store.id).values(**values))
    audit.record(
        session, actor=here.who.actor, action="offline_rules_changed", subject=f"store:{here.store.public_id}",
        before=told, after={"stamps": stamps, "points_per_day": points_per_day}, now=now,
    )  # fmt: skip
    return session.get_one(OfflineRules, here.store.id, populate_existing=True)


def waiting(session: Session, here: Desk, *, limit: int = 200) -> list[OfflineSale]:
    """What somebody should look at, oldest first."""
    return list(session.scalars(_open_of(here).order_by(OfflineSale.id).limit(limit)))


def count_waiting(session: Session, here: Desk) -> int:
    """How many things somebody should look at."""
    return session.scalar(select(func.count()).select_from(_open_of(here).subquery())) or 0


def _begin(session: Session, kept: Kept, *, now: datetime) -> OfflineSale | None:
    digest = idempotency.request_hash("POST", "offline", kept.body)
    replay = idempotency.begin(session, SCOPE, kept.client_id, digest, now=now)
    if replay is None:
        return None
    return session.scalars(select(OfflineSale).where(OfflineSale.client_id == kept.client_id)).one()


def _keep(session: Session, arrival: Arrival, kept: Kept, outcome: Result | AppError, *, now: datetime) -> OfflineSale:
    here = place_of(arrival.sender, kept)
    row = OfflineSale(
        public_id=public_id("off"),
        client_id=kept.client_id,
        programme_id=here.programme.id,
        store_id=here.choice.store_id,
        kind=kept.kind,
        number=kept.number,
        amount_minor=kept.amount_minor,
        currency=kept.currency,
        points=kept.points,
        stamp_card=kept.stamp_card,
        receipt=kept.receipt,
        made_at=kept.made_at,
        zone=kept.zone,
        terminal=arrival.sender.terminal,
        cashier=kept.cashier,
        sent_by=arrival.sender.who.public_id,
        received_at=now,
        **_became(outcome),
    )
    session.add(row)
    session.flush()
    idempotency.finish(session, SCOPE, kept.client_id, status=200, answer=row.public_id)
    return row


def _became(outcome: Result | AppError) -> dict[str, object]:
    if isinstance(outcome, Result):
        return {
            "status": "applied",
            "flags": list(outcome.flags),
            "lost": outcome.lost,
            "entry_id": outcome.entry_id,
            "is_open": bool(outcome.flags),
        }
    status = "duplicate" if outcome.code in rules.DUPLICATES else "refused"
    return {"status": status, "reason": outcome.code, "detail": str(outcome.public)[:300], "is_open": True}


def _kept_again(row: OfflineSale) -> Kept:
    """A stored item as it would have to be booked now; the form it came from has had its say."""
    return Kept(
        client_id=row.client_id,
        kind=row.kind,
        number=row.number,
        amount_minor=row.amount_minor,
        points=row.points,
        stamp_card=row.stamp_card,
        currency=row.currency,
        receipt=row.receipt,
        made_at=row.made_at,
        zone=row.zone,
        cashier=row.cashier,
        place="",
        form_key=None,
    )


def _open_of(here: Desk) -> Select[OfflineSale]:
    wanted = select(OfflineSale).where(OfflineSale.programme_id == here.programme.id, OfflineSale.is_open)
    return wanted if here.store is None else wanted.where(OfflineSale.store_id == here.store.id)


def _open_row(session: Session, here: Desk, sale_id: str) -> OfflineSale:
    wanted = select(OfflineSale).where(OfflineSale.public_id == sale_id, OfflineSale.programme_id == here.programme.id)
    if here.store is not None:
        wanted = wanted.where(OfflineSale.store_id == here.store.id)
    row = session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("unknown_item", "There is no such sale in this store.")
    if not row.is_open:
        raise Conflict("already_settled", "Somebody has settled this already.")
    return row


def _settle(session: Session, here: Desk, row: OfflineSale, action: str, *, note: str, now: datetime) -> None:
    row.is_open, row.settled_by, row.settled_at, row.note = False, here.who.actor, now, note[:LONGEST_NOTE]
    subject = f"offline_sale:{row.public_id}"
    audit.record(session, actor=here.who.actor, action=action, subject=subject, reason=note[:LONGEST_NOTE], now=now)
