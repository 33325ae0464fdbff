"""Stamp cards of a programme: made, changed, begun and ended; and what members have on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from app import ids
from app.cards import programmes
from app.cards.models import Programme
from app.db import insert_if_new, rows_changed, table_of
from app.errors import Conflict, NotFound, Sentence
from app.ledger.models import Account
from app.stamps import drafts
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard, StampedReceipt

_CARD = table_of(StampCard)
_BY_SALES = (
    select(_CARD.c.id)
    .where(_CARD.c.programme_id == bindparam("programme_id"), _CARD.c.state != "ended", _CARD.c.gives != "visit")
    .limit(1)
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How a member stands on one stamp card: `stamps` of its size, and rewards that can be used now."""

    stamp_card: StampCard
    stamps: int
    vouchers: int
    owed: int = 0


def create(session: Session, draft: StampCardDraft, *, by: str, now: datetime) -> StampCard:
    """Make a stamp card; from its start on it stands on every card of the programme.

    Raises: Unprocessable `invalid_stamp_card` with a sentence for each faulty field, or `two_for_one_item`.
    """
    values = drafts.checked(draft, now=now)
    _lock_programme(session, draft.programme)
    made = StampCard(
        public_id=ids.public_id("stc"), programme_id=draft.programme.id, created_by=by, created_at=now, **values
    )
    made.programme = draft.programme
    made.state = "live" if made.starts_at <= now else "scheduled"
    with session.no_autoflush:
        drafts.check_rivals(_unended(session, draft.programme.id), made)
    session.add(made)
    session.flush()
    if made.state == "live":
        programmes.redesigned(session, draft.programme, now=now)
    return made


def change(session: Session, stamp_card: StampCard, draft: StampCardDraft, *, now: datetime) -> None:
    """Replace what a stamp card says by *draft*. Its size stays once anybody has begun it: what was promised holds.

    Raises: as `create`; Conflict `stamp_card_in_use` with how many members have begun it, or `stamp_card_over`.
    """
    _lock_programme(session, stamp_card.programme)
    session.refresh(stamp_card, with_for_update={"of": StampCard})
    if stamp_card.state == "ended":
        raise Conflict("stamp_card_over", "This stamp card has ended; make a new one.")
    values = drafts.checked(draft, now=now, since=stamp_card.starts_at)
    if values["size"] != stamp_card.size and (begun := members_with_stamps(session, stamp_card)):
        text = Sentence(
            "%(num)s members have begun this card of %(size)s stamps; end it and make a new one for another number.",
            num=begun, size=stamp_card.size,
        )  # fmt: skip
        raise Conflict("stamp_card_in_use", text, errors={"size": text})
    for name, value in values.items():
        setattr(stamp_card, name, value)
    if stamp_card.state == "scheduled" and stamp_card.starts_at <= now:
        stamp_card.state = "live"
    with session.no_autoflush:
        rivals = [one for one in _unended(session, stamp_card.programme_id) if one.id != stamp_card.id]
    drafts.check_rivals(rivals, stamp_card)
    session.flush()
    if stamp_card.state == "live":
        programmes.redesigned(session, stamp_card.programme, now=now)


def end(session: Session, stamp_card: StampCard, *, now: datetime) -> None:
    """Give no more stamps on it. Rewards that were reached stay usable.

    Raises: Conflict `stamp_card_over`.
    """
    _lock_programme(session, stamp_card.programme)
    ended = update(StampCard).where(StampCard.id == stamp_card.id, StampCard.state != "ended")
    if rows_changed(session, ended.values(state="ended").execution_options(synchronize_session=False)) != 1:
        raise Conflict("stamp_card_over", "This stamp card has ended already.")
    session.refresh(stamp_card)
    programmes.redesigned(session, stamp_card.programme, now=now)


def tick(session: Session, *, now: datetime) -> int:
    """Begin and end the stamp cards whose time has come; how many. Safe to call twice, or late."""
    moved = 0
    query = select(StampCard).options(joinedload(StampCard.programme)).where(
        or_(
            (StampCard.state == "scheduled") & (StampCard.starts_at <= now),
            (StampCard.state != "ended") & (StampCard.ends_at <= now),
        )
    )  # fmt: skip
    for one in session.scalars(query.order_by(StampCard.id).limit(50)).all():
        over = one.ends_at is not None and one.ends_at <= now
        after = "ended" if over else "live"
        _lock_programme(session, one.programme)
        mine = update(StampCard).where(StampCard.id == one.id, StampCard.state == one.state)
        if rows_changed(session, mine.values(state=after).execution_options(synchronize_session=False)) == 1:
            session.refresh(one)
            programmes.redesigned(session, one.programme, now=now)
            moved += 1
    return moved


def by_id(session: Session, public_id: str) -> StampCard:
    """A stamp card by its public id.

    Raises: NotFound `unknown_stamp_card`.
    """
    query = select(StampCard).where(StampCard.public_id == public_id).options(joinedload(StampCard.programme))
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("unknown_stamp_card", "There is no such stamp card.")
    return found


def of_programme(session: Session, programme_id: int) -> list[StampCard]:
    """All stamp cards of a programme, live ones first, then the newest."""
    query = select(StampCard).where(StampCard.programme_id == programme_id).options(joinedload(StampCard.programme))
    return list(session.scalars(query.order_by(StampCard.state == "ended", StampCard.id.desc())))


def live(session: Session, programme_id: int, *, now: datetime, store_id: int | None = None) -> list[StampCard]:
    """The stamp cards that give stamps at *now*; at that store, if one is named. Their rules stay until the end of the
    transaction."""
    query = (
        select(StampCard)
        .where(
            StampCard.programme_id == programme_id,
            StampCard.state != "ended",
            StampCard.starts_at <= now,
            or_(StampCard.ends_at.is_(None), StampCard.ends_at > now),
        )
        .options(joinedload(StampCard.programme))
        .order_by(StampCard.id)
        .with_for_update(read=True, of=StampCard)
        .execution_options(populate_existing=True)
    )
    return [one for one in session.scalars(query) if store_id is None or is_at(one, store_id)]


def counts_sales(session: Session, programme_id: int) -> bool:
    """Whether any stamp card of a programme may be stamped by a sale: asked at every sale, so it costs little."""
    return session.execute(_BY_SALES, {"programme_id": programme_id}).first() is not None


def is_at(stamp_card: StampCard, store_id: int) -> bool:
    """Whether the stamp card is used at that store."""
    return not stamp_card.stores or store_id in stamp_card.stores


def is_live(stamp_card: StampCard, now: datetime) -> bool:
    """Whether it gives stamps at *now*."""
    return stamp_card.state != "ended" and stamp_card.starts_at <= now and not _is_over(stamp_card, now)


def progress(session: Session, member_id: int, programme_id: int, *, now: datetime) -> list[Progress]:
    """How a member stands on every stamp card that gives stamps at *now* or of which a reward is left."""
    units = Account.unit.like("stamp:%") | Account.unit.like("voucher:%")
    query = select(Account.unit, Account.role, Account.balance).where(Account.member_id == member_id, units)
    stands = {(unit, role): balance or 0 for unit, role, balance in session.execute(query)}
    found = []
    for one in of_programme(session, programme_id):
        mine = Progress(
            stamp_card=one,
            stamps=stands.get((one.unit, "avail"), 0),
            vouchers=stands.get((one.voucher_unit, "avail"), 0),
            owed=-stands.get((one.unit, "debt"), 0),
        )
        if is_live(one, now) or mine.vouchers:
            found.append(mine)
    return found


def members_with_stamps(session: Session, stamp_card: StampCard) -> int:
    """How many members have begun a round, or owe stamps of one."""
    query = select(func.count(func.distinct(Account.member_id))).where(
        Account.programme_id == stamp_card.programme_id,
        Account.unit == stamp_card.unit,
        Account.member_id.is_not(None),
        Account.balance != 0,
    )
    return session.scalar(query) or 0


def note_receipt(session: Session, stamp_card: StampCard, receipt: str, *, store_id: int | None, entry_id: str) -> bool:
    """Write down that a receipt has given its stamps; False if it had already. The unique index decides."""
    return insert_if_new(
        session, StampedReceipt, stamp_card_id=stamp_card.id, store_id=store_id or 0, receipt=receipt,
        entry_id=entry_id, undone_at=None,
    )  # fmt: skip


def receipt_has_stamped(session: Session, stamp_card_id: int, receipt: str, *, store_id: int | None) -> bool:
    """Whether that receipt has given stamps on that stamp card."""
    query = select(StampedReceipt.id).where(
        StampedReceipt.stamp_card_id == stamp_card_id,
        StampedReceipt.store_id == (store_id or 0),
        StampedReceipt.receipt == receipt,
        StampedReceipt.undone_at.is_(None),
    )
    return session.scalar(query) is not None


def words(stamp_card: StampCard, language: str) -> tuple[str, str]:
    """Name and reward in a language."""
    texts = stamp_card.texts.get(language, {})
    return texts.get("name") or stamp_card.name, texts.get("reward") or stamp_card.reward


def _is_over(stamp_card: StampCard, now: datetime) -> bool:
    return stamp_card.ends_at is not None and stamp_card.ends_at <= now


def _unended(session: Session, programme_id: int) -> Sequence[StampCard]:
    query = select(StampCard).where(StampCard.programme_id == programme_id, StampCard.state != "ended")
    return session.scalars(query).all()


def _lock_programme(session: Session, programme: Programme) -> None:
    """Two stamp cards saved at once look at each other. The programme comes before its stamp cards, and not so locked
    that a till, which holds a stamp card and writes an entry of the programme, would wait for it."""
    session.execute(select(Programme.id).where(Programme.id == programme.id).with_for_update(key_share=True))
