"""What is refused because it happens too often, and what managers are told of.

A refusal is written down before it is answered: nothing is dropped silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from app import ids, localtime
from app.cards.models import Programme
from app.db import insert_for, insert_if_new, rows_changed, table_of
from app.errors import Conflict, Forbidden, NotFound, Sentence, Unprocessable
from app.fraud import rules
from app.fraud.models import Notice, StaffCard, Tally
from app.fraud.rules import Limits
from app.ledger.held import Held
from app.ledger.models import Entry

HOUR_S = 3600
LONGEST_REASON = 500
_ENTRY, _STAFF_CARD = table_of(Entry), table_of(StaffCard)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Who gives points to a card, where and when. `zone` is that of the store, or the programme's."""

    actor: str
    channel: str
    store_id: int | None
    zone: str
    now: datetime

    @property
    def place(self) -> str:
        """The till, as far as it is known: who stands at which store."""
        return f"{self.store_id or 0}:{self.actor}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lately:
    """What a card did in the last hour and on this day, and when it was used last."""

    in_hour: int
    in_day: int
    tills: int
    was_here: bool
    last_at: datetime | None
    belongs_to: str | None


_OWNER = select(_STAFF_CARD.c.staff).where(_STAFF_CARD.c.card_id == bindparam("card_id"))
_AT = _ENTRY.c.recorded_at
_PLACE = func.coalesce(_ENTRY.c.store_id, 0).cast(String) + literal(":") + _ENTRY.c.actor
# of a day with more sales than anybody looks at, the latest are enough: a card in a test of load has thousands
_SALES = (
    select(_AT.label("at"), _PLACE.label("place"))
    .where(
        _ENTRY.c.card_id == bindparam("card_id"),
        bindparam("midnight", type_=_AT.type) <= _AT,
        _ENTRY.c.kind == "earn",
        _ENTRY.c.part_of_id.is_(None),
    )
    .order_by(_AT.desc())
    .limit(bindparam("most"))
    .subquery()
)
_LATELY = select(
    func.coalesce(func.sum(case((bindparam("hour_ago", type_=_AT.type) < _SALES.c.at, 1), else_=0)), 0),
    func.count(_SALES.c.at),
    func.count(_SALES.c.place.distinct()),
    func.max(case((bindparam("place", type_=String) == _SALES.c.place, 1), else_=0)),
    func.max(_SALES.c.at),
    _OWNER.scalar_subquery(),
)


def check_sale(session: Session, card: Held, by: Happening) -> tuple[str, ...]:
    """Whether a sale may be booked now, before anything of it is written; what the cashier is told, as codes.

    What goes beyond a limit is refused with a notice that stays.

    Raises: Conflict `limit_reached`; Forbidden `own_card`.
    """
    limits = rules.read(card.limits)
    lately = _lately(session, card, by, limits)
    if lately.belongs_to is not None and lately.belongs_to == by.actor:
        raise _own(session, card, by)
    _check_card(session, card, by, limits, lately)
    if limits.counts_hours:
        _check_hours(session, card, by, limits)
    _tell(session, card, by, limits, lately)
    soon = timedelta(minutes=limits.soon_min)
    return ("soon_again",) if lately.last_at is not None and by.now - lately.last_at < soon else ()


def check_own(session: Session, card: Held, by: Happening) -> None:
    """Whether whoever gives something to a card is not its owner; for what is no sale.

    Raises: Forbidden `own_card`, with a notice that stays.
    """
    if session.scalar(_OWNER, {"card_id": card.id}) == by.actor:
        raise _own(session, card, by)


def count_sale(session: Session, card: Held, by: Happening, points: int) -> None:
    """Count a sale that was booked, for the limits of people and stores."""
    if rules.read(card.limits).counts_hours:
        _tallied(session, card, by, earns=1, points=points)


def noticed(
    session: Session, *, programme_id: int, kind: str, once: str, actor: str, now: datetime,
    card_id: int | None = None, store_id: int | None = None, facts: Mapping[str, Any] = {},  # never changed
) -> bool:  # fmt: skip
    """Put something on the list for managers; False if it is there already."""
    return insert_if_new(
        session, Notice, public_id=ids.public_id("ntc"), programme_id=programme_id, kind=kind, once=once,
        card_id=card_id, store_id=store_id, actor=actor, facts=dict(facts), at=now,
    )  # fmt: skip


def open_notices(session: Session, programme_id: int, *, limit: int = 200) -> list[Notice]:
    """What nobody has looked at yet, the newest first."""
    query = select(Notice).where(Notice.programme_id == programme_id, Notice.dismissed_at.is_(None))
    return list(session.scalars(query.order_by(Notice.at.desc(), Notice.id.desc()).limit(limit)))


def dismiss(session: Session, programme_id: int, public_id: str, *, because: str, by: str, now: datetime) -> Notice:
    """Take a notice off the list, with the reason.

    Raises: Unprocessable `reason_missing`; NotFound `unknown_notice`; Conflict `already_dismissed`.
    """
    if not 3 <= len(because.strip()) <= LONGEST_REASON:
        text = "Say in a few words why this is no matter, in at most 500 characters."
        raise Unprocessable("reason_missing", text, errors={"reason": text})
    mine = Notice.public_id == public_id, Notice.programme_id == programme_id
    found = session.scalars(select(Notice).where(*mine)).one_or_none()
    if found is None:
        raise NotFound("unknown_notice", "There is no such notice.")
    done = update(Notice).where(*mine, Notice.dismissed_at.is_(None))
    values = {"dismissed_at": now, "dismissed_by": by, "dismissed_because": because.strip()}
    if rows_changed(session, done.values(**values).execution_options(synchronize_session=False)) != 1:
        raise Conflict("already_dismissed", "Somebody has dismissed this already.")
    session.refresh(found)
    return found


def change_limits(session: Session, programme: Programme, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Set a programme's limits, in force from the next sale on; what is left out is as usual. What is kept now.

    Raises: Unprocessable `invalid_limits` with a sentence for each fault.
    """
    kept = rules.plain(rules.parse(raw))
    programme.limits = kept
    session.flush()
    return kept


def link_card(session: Session, card_id: int, staff: str, *, by: str, now: datetime) -> bool:
    """Say that a card belongs to somebody who works here; False if it is said already."""
    return insert_if_new(session, StaffCard, card_id=card_id, staff=staff, linked_by=by, created_at=now)


def _lately(session: Session, card: Held, by: Happening, limits: Limits) -> _Lately:
    midnight = localtime.start_of_day(localtime.wall_clock(by.now, by.zone).date(), by.zone)
    asked = {
        "card_id": card.id, "midnight": min(midnight, by.now - timedelta(hours=1)),
        "hour_ago": by.now - timedelta(hours=1), "place": by.place, "most": limits.sales_looked_at,
    }  # fmt: skip
    in_hour, in_day, tills, here, last_at, belongs_to = session.execute(_LATELY, asked).one()
    return _Lately(
        in_hour=int(in_hour), in_day=in_day, tills=tills, was_here=bool(here), last_at=last_at, belongs_to=belongs_to
    )


def _own(session: Session, card: Held, by: Happening) -> Forbidden:
    _notice(session, card, by, "own_card", f"own:{card.id}:{_day(by)}")
    return Forbidden("own_card", "This is your own card; ask a colleague.", commits=True)


def _check_card(session: Session, card: Held, by: Happening, limits: Limits, lately: _Lately) -> None:
    for done, limit, period in ((lately.in_hour, limits.card_per_hour, "hour"),
                                (lately.in_day, limits.card_per_day, "day")):  # fmt: skip
        if limit is not None and done >= limit:
            when = _hour(by.now) if period == "hour" else _day(by)
            _notice(session, card, by, "card_limit", f"card:{card.id}:{period}:{when}", limit=limit, period=period)
            text = (
                Sentence("This card has earned %(limit)s times in this hour; a manager can look at it.", limit=limit)
                if period == "hour"
                else Sentence(
                    "This card has earned %(limit)s times on this day; a manager can look at it.", limit=limit
                )
            )
            raise Conflict("limit_reached", text, commits=True)


def _check_hours(session: Session, card: Held, by: Happening, limits: Limits) -> None:
    for subject, earns, points in _tallied(session, card, by):  # locked: the last sale of the hour is one till's
        is_store = subject.startswith("store:")
        most = limits.store_per_hour if is_store else limits.person_per_hour
        most_points = None if is_store else limits.person_points_per_hour
        if (most is not None and earns >= most) or (most_points is not None and points >= most_points):
            kind = "store_limit" if is_store else "staff_limit"
            _notice(session, card, by, kind, f"{subject}:{_hour(by.now)}", earns=earns, points=int(points))
            text = Sentence(
                "As much is booked here as may be in an hour: %(earns)s purchases. An operator can raise the limit.",
                earns=earns,
            )
            raise Conflict("limit_reached", text, commits=True)


def _tallied(
    session: Session, card: Held, by: Happening, *, earns: int = 0, points: int = 0
) -> list[tuple[str, int, int]]:
    """Count that much for the person and the store; what each did in this hour so far. Until the transaction ends
    nobody else counts for them."""
    found = []
    for subject in _subjects(by):
        row = {"programme_id": card.programme_id, "subject": subject, "hour": _hour(by.now), "earns": earns,
               "points": points}  # fmt: skip
        counted = insert_for(session, Tally).values(**row).on_conflict_do_update(
            index_elements=["programme_id", "subject", "hour"],
            set_={"earns": Tally.earns + earns, "points": Tally.points + points},
        )  # fmt: skip
        sums = session.execute(counted.returning(Tally.earns, Tally.points)).one()
        found.append((subject, sums.earns, sums.points))
    return found


def _tell(session: Session, card: Held, by: Happening, limits: Limits, lately: _Lately) -> None:
    sales, tills = lately.in_day + 1, lately.tills + (0 if lately.was_here else 1)
    if limits.tell_sales_per_day is not None and sales > limits.tell_sales_per_day:
        _notice(session, card, by, "many_earns", f"sales:{card.id}:{_day(by)}", sales=sales)
    if limits.tell_tills_per_day is not None and tills > limits.tell_tills_per_day:
        _notice(session, card, by, "many_tills", f"tills:{card.id}:{_day(by)}", tills=tills)
    if not limits.is_open(by.now, by.zone):
        _notice(session, card, by, "after_hours", f"closed:{by.place}:{_day(by)}")


def _notice(session: Session, card: Held, by: Happening, kind: str, once: str, **facts: Any) -> None:
    noticed(
        session, programme_id=card.programme_id, kind=kind, once=once, actor=by.actor, now=by.now, card_id=card.id,
        store_id=by.store_id, facts=facts,
    )  # fmt: skip


def _subjects(by: Happening) -> list[str]:
    return [by.actor, *([f"store:{by.store_id}"] if by.store_id else [])]


def _hour(now: datetime) -> int:
    return int(now.timestamp()) // HOUR_S


def _day(by: Happening) -> str:
    return localtime.wall_clock(by.now, by.zone).date().isoformat()
