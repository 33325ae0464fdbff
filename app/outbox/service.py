"""Whom a card's changes must reach: targets, and how what they want rises.

All functions work in the caller's transaction and touch rows in the order of their ids. Times are epoch milliseconds.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    and_,
    bindparam,
    case,
    column,
    exists,
    literal,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.orm import Session

from app import trace
from app.db import insert_if_new, rows_changed, table_of
from app.outbox.models import Sender, Target
from app.outbox.rules import REMINDER, WINDOW_MS, Lane
from app.outbox.windows import windows_of

__all__ = [
    "WINDOW_MS",
    "Lane",
    "ensure_target",
    "note_fetched",
    "raise_classes",
    "raise_want",
    "raise_want_range",
    "retire",
    "sender_for",
]

DIRTY = Target.want > Target.done
_OTHER = table_of(Target).alias("other")
_HAS_OTHERS = exists().where(
    _OTHER.c.channel == Target.channel,
    _OTHER.c.card_id == Target.card_id,
    _OTHER.c.id != Target.id,
    _OTHER.c.state != "gone",
)
# run for many rows at once: joined with a list of them, as one statement, SQLite took ten times as long
_FETCHED = (
    update(table_of(Target))
    .where(
        Target.channel == bindparam("on"),
        Target.card_id == bindparam("seen_card"),
        Target.fetched < bindparam("seen"),
        Target.want >= bindparam("seen"),
        # a reminder lowers `done` while it waits, of a phone that had been told
        or_(Target.done >= bindparam("seen"), Target.lease.is_not(None), Target.trace == REMINDER, ~_HAS_OTHERS),
    )
    .values(fetched=bindparam("seen"), fetched_at=bindparam("at"))
)
# rooms above this one, known by their columns alone: the outbox is asked by them and imports none of them
CARD = table("card", column("id"), column("programme_id"), column("tier_id"), column("status"), column("version"))
GOOGLE_CLASS = table("google_class", column("id"), column("programme_id"))


def sender_for(session: Session, vendor: str, name: str) -> Sender:
    """The sender of this vendor and name, made if it is new; two callers at once get the same row."""
    nothing = {"next_free": 0, "slowed_at": 0, "breaker_until": 0, "breaker_reason": "", "breaker_failures": 0}
    wanted = select(Sender).where(Sender.vendor == vendor, Sender.name == name)
    found = session.scalars(wanted).one_or_none()
    if found is not None:
        return found
    insert_if_new(session, Sender, vendor=vendor, name=name, **nothing)
    return session.scalars(wanted).one()


def ensure_target(
    session: Session,
    *,
    channel: str,
    sender_id: int,
    card_id: int | None,
    address_id: int,
    want: int,
    done: int,
    now_ms: int,
    lane: Lane = Lane.NORMAL,
) -> Target:
    """Register an address for a card; again: the same row, brought back to life if it had been given up.

    The card's row is locked before the target is written and `want` never stays below its version: a change that
    commits in between would otherwise leave this address behind for ever. `done` is the version last handed to the
    address (`want - 1` if unknown); a repeat never lowers what is already known to be done.
    """
    if card_id is not None:
        version = session.scalar(select(CARD.c.version).where(CARD.c.id == card_id).with_for_update(read=True))
        want = max(want, version or 0)
    done = min(done, want)
    values = {
        "channel": channel, "sender_id": sender_id, "card_id": card_id, "address_id": address_id,
        "want": want, "done": done, "fetched": done, "lane": int(lane), "not_before": now_ms, "dirty_since": now_ms,
        "told_at": now_ms, "attempts": 0, "state": "live", "last_status": 0, "last_reason": "", "last_at": 0,
    }  # fmt: skip
    key = and_(
        Target.channel == channel,
        Target.card_id.is_(None) if card_id is None else Target.card_id == card_id,
        Target.address_id == address_id,
    )
    existing = select(Target).where(key).execution_options(populate_existing=True)
    # NULLs are distinct in a unique index, so a target without a card is looked for before it is inserted;
    # two at once cannot happen because its caller has just inserted the address row under a unique key
    if card_id is None and (found := session.scalars(existing).one_or_none()) is not None:
        return found
    if not insert_if_new(session, Target, **values):
        revive = {"state": "live", "want": want, "lease": None, "attempts": 0, "not_before": now_ms}
        session.execute(
            update(Target).where(key, Target.state == "gone").values(revive | {"done": done, "fetched": done})
        )
        session.execute(update(Target).where(key, Target.want < want).values(want=want, dirty_since=now_ms))
    return session.scalars(existing).one()


def raise_want(session: Session, *, card_id: int, version: int, lane: Lane, now_ms: int) -> None:
    """Let every address of the card want *version*; part of the transaction that raised it.

    The window is fixed by the first change of a burst, and a waiting row keeps the more urgent of two lanes.
    """
    given = {
        "of_card": card_id,
        "version": version,
        "now_ms": now_ms,
        "by": trace.current(),
        "window_ms": windows_of(session)[lane],
    }
    session.execute(_raise(lane), given)
    session.info.setdefault("hints", set()).add(("*", lane))


def raise_wants(session: Session, versions: Sequence[tuple[int, int]], *, lane: Lane, now_ms: int) -> None:
    """As `raise_want`, for many cards, each with its version."""
    shared = {"now_ms": now_ms, "by": trace.current(), "window_ms": windows_of(session)[lane]}
    if versions:
        session.execute(_raise(lane), [{"of_card": card, "version": version, **shared} for card, version in versions])


@cache
def _raise(lane: Lane) -> Executable:
    """Made once: every sale runs it, and building it took a quarter of a sale's processor time."""
    of_card = and_(Target.card_id == bindparam("of_card"), Target.state != "gone")
    waiting = _waiting(lane, bindparam("now_ms", type_=BigInteger), bindparam("window_ms", type_=BigInteger))
    raised = update(table_of(Target)).where(of_card)
    return raised.values(want=bindparam("version"), trace=bindparam("by"), **waiting)


def raise_want_range(
    session: Session,
    cards: Collection[ColumnElement[bool]],
    *,
    lane: Lane,
    now_ms: int,
    unaltered: Collection[str] = (),
    window_ms: int | None = None,
) -> int:
    """Let the addresses of many valid cards want their cards' present version, in one statement.

    *cards*: conditions on `CARD` by which an index finds them. A parked address is tried again: what changes for many
    is usually the design, and with it what had been refused. Addresses of *unaltered* channels that owed nothing are up
    to date with the new version as they are. *window_ms* instead of the lane's own, for what is awaited to the second.
    Returns: how many addresses now want something.
    """
    # the conditions are of the cards, so that every plan walks them by an index and looks their addresses up
    audience = [CARD.c.id == Target.card_id, *cards, Target.state != "gone", Target.want < CARD.c.version]
    window = windows_of(session)[lane] if window_ms is None else window_ms
    waiting = _waiting(lane, literal(now_ms, BigInteger), literal(window, BigInteger))
    as_they_are = and_(Target.channel.in_(unaltered), ~DIRTY, Target.state == "live")
    done = {"done": case((as_they_are, CARD.c.version), else_=Target.done)} if unaltered else {}
    return rows_changed(
        session,
        update(Target)
        .where(*audience)
        .values(state="live", want=CARD.c.version, **done, **waiting)
        .execution_options(synchronize_session=False),
    )


def raise_classes(session: Session, *, programme_id: int, lane: Lane, now_ms: int) -> int:
    """Let every Google class of a programme be told anew: after its design, tiers or live offers changed.

    There is no window: a class changes seldom, and an offer's start is awaited to the second.
    """
    classes = select(GOOGLE_CLASS.c.id).where(GOOGLE_CLASS.c.programme_id == programme_id)
    return rows_changed(
        session,
        update(Target)
        .where(Target.channel == "google_class", Target.address_id.in_(classes), Target.state != "gone")
        .values(want=Target.want + 1, state="live", **_waiting(lane, literal(now_ms, BigInteger), literal(0)))
        .execution_options(synchronize_session=False),
    )


def _waiting(lane: Lane, now_ms: ColumnElement[int], window_ms: ColumnElement[int]) -> dict[str, Any]:
    """Columns of a row that begins to wait, or that waits already and now waits for more."""
    soon: ColumnElement[int] = now_ms + window_ms
    if lane is Lane.BULK:  # no phone is woken for bulk changes without end
        soon = case((Target.bulk_free > soon, Target.bulk_free), else_=soon)
    more_urgent = and_(Target.lane > lane, Target.lease.is_(None), Target.not_before > soon)
    return {
        "lane": case((and_(DIRTY, Target.lane < lane), Target.lane), else_=int(lane)),
        "not_before": case((and_(DIRTY, ~more_urgent), Target.not_before), else_=soon),
        "dirty_since": case((DIRTY, Target.dirty_since), else_=now_ms),
    }


def retire(session: Session, *, channel: str, address_id: int, card_id: int | None = None) -> int:
    """Give an address up, for one card or for all: it was removed by its owner or its token died."""
    gone = update(Target).where(Target.channel == channel, Target.address_id == address_id, Target.state != "gone")
    if card_id is not None:
        gone = gone.where(Target.card_id == card_id)
    values = {"state": "gone", "lease": None}
    return rows_changed(session, gone.values(values).execution_options(synchronize_session=False))


def note_fetched(session: Session, versions: Mapping[int, int], *, now_ms: int, channel: str = "apple") -> None:
    """Phones downloaded these cards: {card id: version}.

    A download names no phone: of several phones those are credited that had been told. A fast phone fetches before the
    vendor's answer is settled, so one that is just being told counts as well. The only phone of a card counts always:
    it may have asked of itself, and then it answers the push by fetching nothing.
    """
    shared = {"at": now_ms, "on": channel}
    rows = [{"seen_card": card_id, "seen": version, **shared} for card_id, version in sorted(versions.items())]
    if rows:
        session.connection().execute(_FETCHED, rows)


def raise_want_of(
    session: Session, cards: Select[Any], *, lane: Lane, now_ms: int, window_ms: int | None = None
) -> int:
    """Let the addresses of these cards (a query of ids) want their cards' present version, in one statement.

    As `raise_want_range`, for cards that no range names. Returns: how many addresses now want something.
    """
    window = windows_of(session)[lane] if window_ms is None else window_ms
    waiting = _waiting(lane, literal(now_ms, BigInteger), literal(window, BigInteger))
    raised = update(Target).where(
        CARD.c.id == Target.card_id, CARD.c.id.in_(cards), Target.state != "gone", Target.want < CARD.c.version
    )
    wanting = raised.values(want=CARD.c.version, trace=trace.current(), **waiting)
    session.info.setdefault("hints", set()).add(("*", lane))
    return rows_changed(session, wanting.execution_options(synchronize_session=False))
