"""Many rows in one statement, on both databases: ids and rows travel as one value, not as thousands of parameters."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, String, bindparam, column, func, select, text, update
from sqlalchemy.orm import Session

from app.campaigns.models import CardMessage, Recipient
from app.cards.models import Card
from app.cards.service import next_modified
from app.clock import milliseconds
from app.db import BigId, insert_for, rows_changed
from app.outbox import service as outbox
from app.outbox.service import Lane

_RECIPIENT = ("run_id", "card_id", "state", "arm", "reason", "note", "due_at", "at")


def these(session: Session, ids: Sequence[int]) -> Select[Any]:
    """A list of ids as rows with one column, `id`."""
    if session.get_bind().dialect.name == "sqlite":
        rows: Any = func.json_each(json.dumps(list(ids))).table_valued(column("value", BigId), name="these")
        return select(rows.c.value.label("id"))
    return select(func.unnest(bindparam(None, list(ids), type_=ARRAY(BigInteger))).label("id"))


def add_recipients(session: Session, run_id: int, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert recipients as (card id, state, arm, reason, note, due_at in ms, at in ms or None); how many were new."""
    if not rows:
        return 0
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        given = [(run_id, *row) for row in rows]
        return connection.exec_driver_sql(_sqlite_insert(), given).rowcount
    columns = zip(*rows, strict=True)
    values = {f"c{place}": _array(one) for place, one in enumerate(columns)}
    return rows_changed(session, _POSTGRES_INSERT.bindparams(run=run_id, **values))


def _array(values: Sequence[Any]) -> str:
    """A column as PostgreSQL writes an array: of numbers and of our own words, which need no quotes.

    Lists took psycopg a third of a chunk's time.
    """
    return "{" + ",".join('""' if one == "" else "NULL" if one is None else str(one) for one in values) + "}"


@cache
def _sqlite_insert() -> str:
    places = ", ".join("?" * len(_RECIPIENT))
    return f"INSERT INTO recipient ({', '.join(_RECIPIENT)}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608


_POSTGRES_INSERT = text(
    f"INSERT INTO recipient ({', '.join(_RECIPIENT)}) "  # noqa: S608  names of columns
    "SELECT :run, card, state, arm, reason, note, due, at FROM unnest("
    "CAST(:c0 AS bigint[]), CAST(:c1 AS text[]), CAST(:c2 AS text[]), CAST(:c3 AS text[]), CAST(:c4 AS text[]), "
    "CAST(:c5 AS bigint[]), CAST(:c6 AS bigint[])) AS row(card, state, arm, reason, note, due, at) "
    "ON CONFLICT DO NOTHING"
).bindparams(bindparam("run", type_=BigInteger), *(bindparam(f"c{place}", type_=String) for place in range(7)))


def suppress(session: Session, run_id: int, ids: Sequence[int], reason: str, *, now: datetime) -> int:
    """Decide that these planned recipients are told nothing; how many it were."""
    mine = update(Recipient).where(
        Recipient.run_id == run_id, Recipient.state == "planned", Recipient.card_id.in_(these(session, ids))
    )
    decided = mine.values(state="suppressed", reason=reason, at=now)
    return rows_changed(session, decided.execution_options(synchronize_session=False))


def defer(session: Session, run_id: int, ids: Sequence[int], due_at: datetime, note: str) -> None:
    """Let these recipients wait, for the end of quiet hours or until a cap allows it."""
    mine = update(Recipient).where(
        Recipient.run_id == run_id, Recipient.state == "planned", Recipient.card_id.in_(these(session, ids))
    )
    later = mine.values(due_at=due_at, note=note)
    session.execute(later.execution_options(synchronize_session=False))


def touch(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    """Raise the versions of these cards, in the order of their ids."""
    raised = update(Card).where(Card.id.in_(these(session, ids)))
    values = {"version": Card.version + 1, "modified_at": next_modified(now)}
    session.execute(raised.values(values).execution_options(synchronize_session=False))


def tell(session: Session, ids: Sequence[int], *, now: datetime) -> None:
    """Raise the versions of these cards, and let their phones be brought up to them when it is their turn."""
    touch(session, ids, now=now)
    outbox.raise_want_of(session, these(session, ids), lane=Lane.BULK, now_ms=milliseconds(now), window_ms=0)


def mark_sent(session: Session, run_id: int, ids: Sequence[int], *, now: datetime) -> int:
    """Say of these recipients that their message left with their card's present version."""
    mine = update(Recipient).where(
        Recipient.run_id == run_id,
        Recipient.state == "planned",
        Recipient.card_id.in_(these(session, ids)),
        Recipient.card_id == Card.id,
    )
    sent = mine.values(state="sent", at=now, version=Card.version)
    return rows_changed(session, sent.execution_options(synchronize_session=False))


def put_messages(
    session: Session, ids: Sequence[int], shared: Mapping[str, Any], numbers: Mapping[int, Mapping[str, Any]]
) -> None:
    """Let these cards show a message, instead of the one that they show: `shared` columns, each with its numbers."""
    if not ids:
        return
    insert = insert_for(session, CardMessage)
    news = {name: insert.excluded[name] for name in (*shared, "numbers", "alerted_at")}
    statement = insert.on_conflict_do_update(index_elements=["card_id"], set_=news)
    rows = [{"card_id": one, "numbers": dict(numbers.get(one) or {}) or None, "alerted_at": None, **shared}
            for one in ids]  # fmt: skip
    session.connection().execute(statement, rows)


def in_ms(at: datetime | None) -> int | None:
    """An instant as a bulk row has it."""
    return None if at is None else milliseconds(at)
