"""Entries as cashiers read them: what was done, with whose card, and whether it can still be undone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_time
from sqlalchemy.orm import Session

from app import i18n, money
from app.cards.models import Card
from app.counter.returns import UNDO_WINDOW
from app.earning import words
from app.ledger import explain
from app.ledger import service as ledger
from app.ledger import words as ledger_words
from app.ledger.held import POINTS
from app.ledger.models import Entry
from app.offers import service as offers
from app.rewards import catalogue
from app.stamps import service as stamps
from app.till import again, queries
from app.till.desk import Desk
from app.till.goods import deals
from app.till.goods.deals import Deal
from app.till.people import approvals
from app.till.rules import LAST_ACTIONS, RECENT_WITHIN, SERIAL

UNDOES = ("reverse", "refund")
STAMP_UNITS = {"stamp": "stamps", "voucher": "vouchers"}
TOO_SOON = "stamps: soon after the last"


@dataclass(frozen=True, kw_only=True)
class Action:
    """An entry as cashiers read it.

    `kind`: earn, stamp, spend, offer, undo, or another kind of the ledger; `unit`: points, stamps, vouchers, uses, or
    money. `what`: the reward's or offer's name; `amount`: the sale, as money. `is_partly`: some of it came back.
    `why`: what explains it, as (label, value) pairs, in a card's history.
    """

    id: str
    kind: str
    unit: str
    points: int
    what: str
    amount: str
    receipt: str
    card: str
    time: str
    is_undone: bool
    is_partly: bool
    may_undo: bool
    may_return: bool
    may_move: bool
    seconds_left: int
    why: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class StampsNow:
    """A stamp card after what was done, with the rewards of it that can be used."""

    name: str
    stamps: int
    size: int
    vouchers: int
    reward: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was just done, large, with the balance it led to. `reasons` are sentences."""

    action: Action
    balance: int
    deficit: int
    reasons: tuple[str, ...]
    stamps: StampsNow | None
    deal: Deal | None = None


def last_actions(session: Session, desk: Desk, *, language: str, now: datetime) -> tuple[Action, ...]:
    """The cashier's latest doings at this store."""
    wanted = queries.last_entries(
        programme_id=desk.programme.id,
        actor=desk.who.actor,
        store_id=desk.store.id if desk.store else None,
        now=now,
        within=RECENT_WITHIN,
        limit=LAST_ACTIONS,
    )
    return actions_of(session, desk, session.execute(wanted).all(), language=language, now=now)


def history_of(session: Session, desk: Desk, card: Card, *, language: str, now: datetime) -> tuple[Action, ...]:
    """The latest doings with a card, for those who may see them."""
    rows = session.execute(queries.entries_of_card(card.id, limit=LAST_ACTIONS)).all() if desk.manages else []
    why = {
        one.entry.id: tuple(ledger_words.facts(one, language, desk.timezone))
        for one in explain.of_entries(session, card.id, [row[0] for row in rows])
    }
    approved = approvals.approvers(session, [row[0].id for row in rows])
    for entry_id, name in approved.items():
        why[entry_id] = (*why.get(entry_id, ()), (i18n.text(language, "Approved by"), name))
    actions = actions_of(session, desk, rows, language=language, now=now)
    return tuple(replace(action, why=why.get(action.id, ())) for action in actions)


def result_of(session: Session, desk: Desk, entry_id: str, *, language: str, now: datetime) -> Result | None:
    """The entry named in the page's address, if this cashier or a manager may look at it."""
    if not SERIAL.fullmatch(entry_id):
        return None
    row = session.execute(queries.entry_of(desk.programme.id, entry_id)).one_or_none()
    if row is None or not (row[0].actor == desk.who.actor or desk.manages):
        return None
    entry: Entry = row[0]
    card = session.get_one(Card, entry.card_id)
    (action,) = actions_of(session, desk, [row], language=language, now=now)
    return Result(
        action=action,
        balance=ledger.balance_of(session, card.member_id),
        deficit=ledger.deficit_of(session, card.member_id),
        reasons=(
            *again.said(session, desk, entry, language),
            *(_said(one, entry, language) for one in entry.reasons or () if not _is_plain(one)),
        ),
        stamps=_stamps_now(session, card, entry.unit, language, now),
        deal=deals.booked(session, entry, language),
    )


def actions_of(
    session: Session, desk: Desk, rows: Sequence[Any], *, language: str, now: datetime
) -> tuple[Action, ...]:
    """Rows of `queries` in words; names are read in two statements at most."""
    names = _names(session, [row[0] for row in rows], language)
    return tuple(_action(row, desk=desk, names=names, language=language, now=now) for row in rows)


def _time(at: datetime, zone: str, language: str, now: datetime) -> str:
    """The time of something of today, else its day too."""
    here = ZoneInfo(zone)
    if at.astimezone(here).date() == now.astimezone(here).date():
        return str(format_time(at, "short", tzinfo=here, locale=language))
    return str(format_datetime(at, "d MMM y, HH:mm", tzinfo=here, locale=language))


def _action(row: Any, *, desk: Desk, names: dict[str, str], language: str, now: datetime) -> Action:
    entry, number, times, returned_minor, captured = row
    own = entry.actor == desk.who.actor and entry.store_id == (desk.store.id if desk.store else None)
    left = UNDO_WINDOW - (now - entry.recorded_at)
    in_time = desk.manages or (own and left.total_seconds() > 0)
    has_amount = entry.amount_minor is not None and entry.currency is not None
    is_undone = bool(times) and abs(int(returned_minor)) >= (entry.amount_minor or 0)
    kind = _kind(entry)
    return Action(
        id=entry.id,
        kind=kind,
        unit=_unit(entry.unit),
        points=entry.points if captured is None else -captured,
        what=i18n.text(language, "Code") if entry.note.startswith("code:") else names.get(entry.note, ""),
        amount=money.shown(abs(entry.amount_minor or 0), entry.currency or "", language) if has_amount else "",
        receipt=entry.receipt or "",
        card=number[-4:],
        time=_time(entry.recorded_at, desk.timezone, language, now),
        is_undone=is_undone,
        is_partly=bool(times) and not is_undone,
        may_undo=in_time and not times and kind != "undo",
        may_return=kind == "earn" and not is_undone,
        may_move=desk.manages and kind == "earn" and not times and entry.currency is not None,
        seconds_left=max(0, int(left.total_seconds())),
    )


def _stamps_now(session: Session, card: Card, unit: str, language: str, now: datetime) -> StampsNow | None:
    if unit.partition(":")[0] not in STAMP_UNITS:
        return None
    for one in stamps.progress(session, card.member_id, card.programme_id, now=now):
        if unit in (one.stamp_card.unit, one.stamp_card.voucher_unit):
            name, reward = stamps.words(one.stamp_card, language)
            return StampsNow(
                name=name, stamps=one.stamps, size=one.stamp_card.size, vouchers=one.vouchers, reward=reward
            )
    return None


def _said(reason: Any, entry: Entry, language: str) -> str:
    if reason == TOO_SOON:
        return i18n.text(language, "Soon after the last stamps")
    return words.sentence(reason, language, entry.currency)


def _is_plain(reason: Any) -> bool:
    """That a purchase gives points needs no saying."""
    return (reason if isinstance(reason, str) else reason.get("code")) == "base"


def _kind(entry: Entry) -> str:
    if entry.kind in UNDOES:
        return "undo"
    if entry.kind == "capture":
        return "spend"
    return "stamp" if entry.kind == "earn" and entry.unit.startswith("stamp:") else entry.kind


def _unit(unit: str) -> str:
    if unit in (POINTS, "uses"):
        return unit
    return STAMP_UNITS.get(unit.partition(":")[0], "money")


def _names(session: Session, entries: list[Entry], language: str) -> dict[str, str]:
    notes = {entry.note for entry in entries}
    rewards = [note.removeprefix("reward:") for note in notes if note.startswith("reward:")]
    used = [note.removeprefix("offer:") for note in notes if note.startswith("offer:")]
    names: dict[str, str] = {}
    if rewards:
        found = session.scalars(queries.rewards_named(rewards))
        names |= {f"reward:{reward.public_id}": catalogue.name_in(reward, language) for reward in found}
    if used:
        found_offers = session.scalars(queries.offers_named(used))
        names |= {f"offer:{offer.public_id}": offers.words(offer, language)[0] for offer in found_offers}
    return names
