"""Recomputing the chain of every card, link by link: what was changed, taken out or put in between shows here.

Entries are read in the order of their cards, a bounded number at once, as the database keeps them: no value is made
of a time or a text that would only be written down again for its digest.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, bindparam, cast, or_, select, tuple_, type_coerce
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.db import table_of
from app.ledger import chain
from app.ledger.models import Account, Entry, EntryLine, Posting

AT_ONCE = 5_000
_ENTRY, _POSTING, _LINE = table_of(Entry), table_of(Posting), table_of(EntryLine)
_ACCOUNT, _CARD = table_of(Account), table_of(Card)
_FACTS = len(chain.FACTS)
_AT = {name: number for number, name in enumerate(chain.FACTS)}
_ID, _CARD_ID, _UNIT, _SEQ = (_AT[name] for name in ("id", "card_id", "unit", "seq"))


def _as_stored(name: str) -> ColumnElement[Any]:
    column = _ENTRY.c[name]
    if name == "reasons":
        return cast(column, Text)
    return type_coerce(column, BigInteger) if name.endswith("_at") else column


_place = tuple_(_ENTRY.c.card_id, _ENTRY.c.seq)
_AFTER = _place > tuple_(bindparam("card"), bindparam("seq"))
_WITHIN = and_(_AFTER, _place <= tuple_(bindparam("last_card"), bindparam("last_seq")))
_ENTRIES = (
    select(*map(_as_stored, chain.FACTS), _ENTRY.c.hash)
    .where(_AFTER)
    .order_by(_ENTRY.c.card_id, _ENTRY.c.seq)
    .limit(AT_ONCE)
)
_POSTINGS = (
    select(_POSTING.c.entry_id, _POSTING.c.account_id, _POSTING.c.amount, _ACCOUNT.c.unit)
    .select_from(_ENTRY)
    .join(_POSTING, _POSTING.c.entry_id == _ENTRY.c.id)
    .join(_ACCOUNT, _ACCOUNT.c.id == _POSTING.c.account_id)
    .where(_WITHIN)
)
_LINES = (
    select(
        _LINE.c.entry_id, _LINE.c.line_no, _LINE.c.product, _LINE.c.category, _LINE.c.quantity, _LINE.c.amount_minor,
        _LINE.c.points,
    )
    .select_from(_ENTRY)
    .join(_LINE, _LINE.c.entry_id == _ENTRY.c.id)
    .where(_WITHIN)
)  # fmt: skip
_HEADS = select(_CARD.c.id, _CARD.c.seq, _CARD.c.hash).where(
    _CARD.c.id >= bindparam("first"), _CARD.c.id <= bindparam("last")
)
_WITHOUT_ENTRIES = select(_CARD.c.id, _CARD.c.seq).where(
    or_(_CARD.c.seq > 0, _CARD.c.hash != chain.GENESIS),
    ~select(_ENTRY.c.id).where(_ENTRY.c.card_id == _CARD.c.id).exists(),
)


@dataclass(slots=True)
class _Walk:
    """Where in which card's chain the reading is, and the ends of chains that are known."""

    card: int = -1
    seq: int = 0
    hash: str = chain.GENESIS
    heads: dict[int, tuple[int, str]] = field(default_factory=dict)


def broken(session: Session, checked: Callable[[int], None]) -> Iterator[str]:
    """Entries that are not what was written, and chains that have a gap or end elsewhere than the card says, in words.

    Args:
        checked: is told how many entries were gone through since its last call.
    """
    walk = _Walk()
    while True:
        rows = session.execute(_ENTRIES, {"card": walk.card, "seq": walk.seq}).all()
        if not rows:
            break
        place = {"card": walk.card, "seq": walk.seq, "last_card": rows[-1][_CARD_ID], "last_seq": rows[-1][_SEQ]}
        postings = _by_entry(session, _POSTINGS, place)
        lines = _by_entry(session, _LINES, place)
        asked = {"first": rows[0][_CARD_ID], "last": rows[-1][_CARD_ID]}
        walk.heads |= {one: (seq, digest) for one, seq, digest in session.execute(_HEADS, asked)}
        for row in rows:
            moved, own = postings.get(row[_ID], ()), lines.get(row[_ID], ())
            if row[_CARD_ID] != walk.card:
                yield from _end(walk)
                walk.card, walk.seq, walk.hash = row[_CARD_ID], 0, chain.GENESIS
            if not _is_sound(walk, row, moved, own):
                yield from _faults(walk, row, moved, own)
            walk.seq, walk.hash = row[_SEQ], row[_FACTS]
        checked(len(rows))
    yield from _end(walk)
    for card, seq in session.execute(_WITHOUT_ENTRIES):
        yield f"card {card} has had {seq} entries; none is there"


def _is_sound(walk: _Walk, row: Sequence[Any], moved: Sequence[Any], lines: Sequence[Any]) -> bool:
    """The quick answer; a million of them are given for each `_faults`."""
    legs, total, unit = [], 0, row[_UNIT]
    for account, amount, of in moved:
        if of != unit:
            return False
        legs.append((account, amount))
        total += amount
    if total or len(legs) < 2 or row[_SEQ] != walk.seq + 1:
        return False
    return bool(chain.digest_of(walk.hash, row[:_FACTS], legs, lines) == row[_FACTS])


def _faults(walk: _Walk, row: Sequence[Any], moved: Sequence[Any], lines: Sequence[Any]) -> Iterator[str]:
    entry, number = row[_ID], row[_SEQ]
    if number != walk.seq + 1:
        yield f"entry {entry} is number {number} of card {walk.card}; number {walk.seq + 1} is missing"
    elif chain.digest_of(walk.hash, row[:_FACTS], [one[:2] for one in moved], lines) != row[_FACTS]:
        yield f"entry {entry} of card {walk.card} is not what was written: its digest does not match"
    total = sum(one[1] for one in moved)
    if len(moved) < 2 or total:
        yield f"entry {entry} has {len(moved)} postings that sum to {total}"
    for account, _amount, unit in moved:
        if unit != row[_UNIT]:
            yield f"entry {entry} moves {row[_UNIT]}, and its account {account} holds {unit}"


def _end(walk: _Walk) -> Iterator[str]:
    if walk.card == -1:
        return
    seq, digest = walk.heads.pop(walk.card, (0, ""))
    if (seq, digest) != (walk.seq, walk.hash):
        yield f"card {walk.card} has had {seq} entries; its chain ends with number {walk.seq}, or with another digest"


def _by_entry(
    session: Session, wanted: Select[*tuple[Any, ...]], place: Mapping[str, Any]
) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in session.execute(wanted, place).all():
        found[row[0]].append(row[1:])
    return found
