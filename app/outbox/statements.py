"""The statements of claiming and settling, each built once: building one takes longer than running it for a few rows.

Of their parameters, what begins with p_ says which rows, k_ is a row's key, and v_ a value.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    String,
    and_,
    bindparam,
    case,
    column,
    extract,
    func,
    select,
    table,
    update,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql import Update

from app.db import table_of
from app.outbox.models import Sender, Target
from app.outbox.rules import BULK_AT_ONCE, BULK_EVERY_MS, Lane

TARGETS = table_of(Target)
DUE = and_(Target.want > Target.done, Target.state == "live")
# rooms above this one, known by their columns alone: the outbox is asked by them and imports none of them
CARD = table("card", column("id"), column("programme_id"))
GOOGLE_CLASS = table("google_class", column("id"), column("programme_id"))
CLAIMED = ("id", "card_id", "address_id", "want", "done", "attempts", "dirty_since", "trace", "not_before")

_NOW = bindparam("p_now", type_=BigInteger)
_WAITING = and_(Target.channel == bindparam("p_channel"), Target.lane == bindparam("p_lane"), DUE)
DUE_SENDERS = (
    select(Sender.id, Sender.vendor, Sender.name)
    .where(
        Sender.breaker_until <= _NOW,
        select(Target.id).where(_WAITING, Target.sender_id == Sender.id, Target.not_before <= _NOW).exists(),
    )
    .order_by(Sender.id)
)
NEXT_DUE = select(
    select(func.min(Target.not_before))
    .where(_WAITING, Target.sender_id == Sender.id)
    .correlate(Sender)
    .scalar_subquery(),
    Sender.breaker_until,
)
DUE_COUNT = select(func.count()).select_from(
    select(Target.id)
    .where(_WAITING, Target.sender_id == bindparam("p_sender"), Target.not_before <= _NOW)
    .limit(bindparam("p_limit", type_=Integer))
    .subquery()
)


def programme_of(channel: str) -> ColumnElement[int]:
    """The programme that a target's sends are made for."""
    if channel == "google_class":
        own = select(GOOGLE_CLASS.c.programme_id).where(GOOGLE_CLASS.c.id == TARGETS.c.address_id)
    else:
        own = select(CARD.c.programme_id).where(CARD.c.id == TARGETS.c.card_id)
    return own.correlate(TARGETS).scalar_subquery()


def _moment(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=BigInteger)


def _reached(version: ColumnElement[int]) -> dict[str, Any]:
    """A version that arrived. What is wanted beyond it was asked for after the claim, and is due again."""
    to = TARGETS.c
    again = {int(lane): _moment(f"v_again_{int(lane)}") for lane in Lane}
    return {
        **_ANSWERED,
        "done": case((version > to.want, to.want), (version < to.done, to.done), else_=version),
        "attempts": 0,
        "told_at": _moment("v_now"),
        "not_before": case(again, value=to.lane, else_=_moment("v_now")),
        "dirty_since": case((to.want > version, _moment("v_claimed")), else_=to.dirty_since),
    }


_ANSWERED: Mapping[str, Any] = {
    "lease": None,
    "last_status": bindparam("v_status"),
    "last_reason": bindparam("v_reason"),
    "last_at": _moment("v_now"),
}
ACTIONS: Mapping[str, Mapping[str, Any]] = {
    "done": _reached(_moment("v_version")),
    "later": {**_ANSWERED, "not_before": _moment("v_at"), "asked_until": _moment("v_asked")},
    "gone": {**_ANSWERED, "state": "gone"},
    "parked": {**_ANSWERED, "state": "parked", "not_before": _moment("v_now")},
    "waiting": {**_ANSWERED, "not_before": _moment("v_now"), "attempts": TARGETS.c.attempts - 1},
}


@cache
def claiming(*, own_clock: bool, without_in: str = "") -> Update:
    """T2. The rows are chosen in a step of their own: PostgreSQL locks exactly those, and skips what others lock."""
    now: ColumnElement[int] = _NOW
    if not own_clock:
        # one moment for the whole statement, so that an index can be searched by it
        now = sql_cast(extract("epoch", func.statement_timestamp()) * 1000, BigInteger)
    places = (
        select(TARGETS.c.id)
        .where(_WAITING, TARGETS.c.sender_id == bindparam("p_sender"), TARGETS.c.not_before <= now)
        .order_by(TARGETS.c.not_before)
        .limit(bindparam("p_limit", type_=Integer))
        .with_for_update(skip_locked=True)
    )
    if without_in:
        places = places.where(programme_of(without_in).not_in(bindparam("p_without", expanding=True)))
    due = places.cte("due")
    return (
        update(TARGETS)
        .where(TARGETS.c.id.in_(select(due.c.id)))
        .values(
            not_before=now + bindparam("p_lease_ms", type_=BigInteger),
            lease=bindparam("p_token"),
            attempts=TARGETS.c.attempts + 1,
        )
        .returning(*(TARGETS.c[name] for name in CLAIMED))
    )


@cache
def acknowledging(kind: str, *, paced: bool) -> Update:
    """T3 for a whole batch, joined with the rows (target id, version, lease) that came with it.

    `paced`: an Apple phone is woken for bulk changes a few times an hour at most; this counts.
    """
    id, version, lease = _told(kind)
    values = _reached(version)
    if paced:
        free, earliest = TARGETS.c.bulk_free, _moment("v_now") - (BULK_AT_ONCE - 1) * BULK_EVERY_MS
        values["bulk_free"] = case((free < earliest, earliest), else_=free) + BULK_EVERY_MS
    return update(TARGETS).where(TARGETS.c.id == id, TARGETS.c.lease == lease).values(values)


def _told(kind: str) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]]:
    """Ids and versions in one parameter, or in one each, as columns; and their lease.

    On PostgreSQL the lease is a column too. As a single value it is taken for rare and looked for first: through the
    whole table, and then in all pairs for each row that was found, which took 300 ms for a batch where this takes 30.
    """
    if kind == "sqlite":
        told = func.json_each(bindparam("pairs")).table_valued(column("key"), column("value", Integer), name="told")
        return sql_cast(told.c.key, Integer), told.c.value, bindparam("k_lease")
    types: dict[str, Any] = {"id": BigInteger, "version": BigInteger, "lease": String}
    arrays = [bindparam(f"{name}s", type_=ARRAY[Any](of)) for name, of in types.items()]
    told = func.unnest(*arrays).table_valued(*(column(name, of) for name, of in types.items()), name="told")
    told = told.render_derived()
    return told.c.id, told.c.version, told.c.lease


def claimed_ids(kind: str) -> ColumnElement[int]:
    """The ids of a claim's rows as a column, to join with; given by `ids_given`.

    One parameter: with one for each row, making and reading the statement cost as much as running it.
    """
    if kind == "sqlite":
        return func.json_each(bindparam("claimed_ids")).table_valued(column("value", Integer), name="claimed").c.value
    given = func.unnest(bindparam("claimed_ids", type_=ARRAY(BigInteger)))
    return given.table_valued(column("id", BigInteger), name="claimed").render_derived().c.id
