"""What is asked of the ledger, the uses of an offer and the wallets about a campaign's recipients."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, column, func, select, type_coerce, values
from sqlalchemy.orm import aliased

from app.campaigns.models import Recipient
from app.ledger.models import Entry
from app.likelihood import seldom
from app.offers.models import Redemption
from app.outbox.models import Target

EARLY_MS = 600_000  # a till's clock may be a little ahead: what was bought may be dated after it was booked
WALLETS = ("apple", "google")
AT_ONCE = 2_000  # rows that are handed to one statement


@dataclass(frozen=True, kw_only=True)
class Who:
    """Whose deeds are asked for: those on `card_id` since `due_at` count for the recipient's card, `counted`."""

    source: Any
    counted: ColumnElement[int]
    card_id: ColumnElement[int]
    due_at: ColumnElement[int]
    where: tuple[ColumnElement[bool], ...] = ()


def alone(*mine: ColumnElement[bool]) -> Who:
    """Recipients (*mine*: which ones) by what they did on the card with which they are one."""
    card_id: Any = Recipient.card_id
    return Who(source=Recipient, counted=card_id, card_id=card_id, due_at=as_stored(Recipient.due_at), where=mine)


def together(rows: Sequence[tuple[int, int, int]]) -> Iterator[Who]:
    """Recipients by what they did on their other cards: the recipient's card, the other one, and since when."""
    columns = [column(name, BigInteger) for name in ("counted", "card_id", "due_at")]
    for start in range(0, len(rows), AT_ONCE):
        some = values(*columns, name="others").data(list(rows[start : start + AT_ONCE])).cte()
        yield Who(source=some, counted=some.c.counted, card_id=some.c.card_id, due_at=some.c.due_at)


def sales(who: Who, window_ms: int) -> Any:
    """Card, sales of which anything is left, and what was paid for them, within each one's window."""
    back = aliased(Entry)
    returned = (
        select(func.coalesce(func.sum(back.amount_minor), 0))
        .where(seldom(back.reverses_id == Entry.id))
        .scalar_subquery()
    )
    at = as_stored(Entry.occurred_at)
    found = (
        select(who.counted.label("counted"), (Entry.amount_minor + returned).label("left_minor"))
        .select_from(who.source)
        .join(Entry, Entry.card_id == who.card_id)
        .where(
            *who.where, as_stored(Entry.recorded_at) >= who.due_at - EARLY_MS, at >= who.due_at,
            at < who.due_at + window_ms, Entry.kind == "earn", Entry.amount_minor > 0, Entry.part_of_id.is_(None),
        )
        .subquery()
    )  # fmt: skip
    left = select(found.c.counted, func.count(), func.sum(found.c.left_minor)).where(found.c.left_minor > 0)
    return left.group_by(found.c.counted)


def uses(who: Who, offer_id: int) -> Any:
    """Card, since when it counts, and of each use that was not taken back the instant and what it took off."""
    return (
        select(who.counted, who.due_at, as_stored(Redemption.at), Redemption.cost_minor)
        .select_from(who.source)
        .join(Redemption, Redemption.card_id == who.card_id)
        .where(
            *who.where, Redemption.offer_id == offer_id, Redemption.reversed_at.is_(None),
            as_stored(Redemption.at) >= who.due_at,
        )
    )  # fmt: skip


def reached(*mine: ColumnElement[bool]) -> Any:
    """For each recipient whose message a wallet's service took: Apple's, Google's, and whether a phone fetched it."""
    marks = (*(Target.channel == one for one in WALLETS), Target.fetched >= Recipient.version)
    return (
        select(*(func.max(case((one, 1), else_=0)) for one in marks))
        .select_from(Recipient)
        .join(Target, Target.card_id == Recipient.card_id)
        .where(*mine, Recipient.state == "sent", Target.channel.in_(WALLETS), Target.done >= Recipient.version)
        .group_by(Recipient.card_id)
    )


def as_stored(instant: Any) -> ColumnElement[int]:
    """An instant as it is stored: to reckon with, and because a million of them are not turned into dates for it."""
    return type_coerce(instant, BigInteger)
