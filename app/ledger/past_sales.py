"""The ledger's own sales as receipts, for trying rules out."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from app.cards.models import Card, Programme, Store
from app.earning.receipts import ROWS_MAX, Known, Receipt
from app.earning.sale import Basket, Line
from app.errors import Sentence, Unprocessable
from app.ledger.models import Entry, EntryLine
from app.likelihood import seldom

AT_ONCE = 500


def check_count(session: Session, programme: Programme, since: datetime) -> int:
    """How many sales were booked since then.

    Raises: Unprocessable `too_many_receipts`, above what can be tried out at once.
    """
    wanted = _sales(programme, since).with_only_columns(Entry.id).limit(ROWS_MAX + 1).subquery()
    found: int = session.execute(select(func.count()).select_from(wanted)).scalar_one()
    if found > ROWS_MAX:
        text = Sentence("There are more than %(most)s sales in these days; choose fewer days.", most=ROWS_MAX)
        raise Unprocessable("too_many_receipts", text, errors={"days": text})
    return found


def since(session: Session, programme: Programme, at: datetime, known: Known) -> Iterator[Receipt]:
    """Every sale that was booked since then and not taken back whole, in the order of booking.

    Prices are those that were paid; the member's tier is today's. Read a few hundred at a time.
    """
    tiers = {level.id: level for level in known.levels.values()}
    zones = {shop.id: shop.zone for shop in known.stores.values()}
    last = ""
    while True:
        rows = session.execute(_sales(programme, at).where(Entry.id > last).order_by(Entry.id).limit(AT_ONCE)).all()
        if not rows:
            return
        last = rows[-1][0].id
        lines = _lines(session, [row[0].id for row in rows])
        for entry, tier_id, store in rows:
            yield Receipt(
                at=entry.occurred_at,
                zone=zones.get(store or "", known.zone),
                basket=Basket(amount_minor=entry.amount_minor or 0, lines=lines.get(entry.id, ())),
                store=store,
                card=str(entry.card_id),
                level=tiers.get(f"tier_{tier_id}"),
            )


def _sales(programme: Programme, since: datetime) -> Select[Entry, int | None, str | None]:
    undoing = aliased(Entry)
    back = (
        select(func.coalesce(func.sum(undoing.amount_minor), 0))
        .where(seldom(undoing.reverses_id == Entry.id))
        .scalar_subquery()
    )
    return (
        select(Entry, Card.tier_id, Store.public_id)
        .join(Card, Card.id == Entry.card_id)
        .outerjoin(Store, Store.id == Entry.store_id)
        .where(
            Entry.id >= f"txn_{int(since.timestamp() * 1000):012x}",  # ids sort by time
            Entry.id < "txn_g",
            Entry.programme_id == programme.id,
            Entry.kind == "earn",
            Entry.part_of_id.is_(None),
            Entry.amount_minor > 0,
            Entry.amount_minor + back > 0,
        )
    )


def _lines(session: Session, ids: Sequence[str]) -> dict[str, tuple[Line, ...]]:
    found: dict[str, tuple[Line, ...]] = {}
    query = select(EntryLine).where(EntryLine.entry_id.in_(ids)).order_by(EntryLine.entry_id, EntryLine.line_no)
    for row in session.scalars(query):
        line = Line(
            number=row.line_no, amount_minor=row.amount_minor, product=row.product, category=row.category,
            quantity=row.quantity,
        )  # fmt: skip
        found[row.entry_id] = (*found.get(row.entry_id, ()), line)
    session.expunge_all()
    return found
