"""Movements in words: for the customer, the cashier and support, in their language."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from babel.dates import format_date

from app import i18n, localtime, money
from app.earning import words
from app.ledger.explain import Dated, Movement
from app.ledger.held import POINTS
from app.ledger.models import Entry, EntryLine

Fact = tuple[str, str]


def kind(entry: Entry, language: str) -> str:
    """What kind of movement this is: "Purchase", "Expired"."""
    if entry.kind == "earn" and entry.note.startswith("event:"):
        return i18n.text(language, "Thanks for: %(event)s", event=entry.note.removeprefix("event:"))
    if entry.kind == "reverse":
        gave = entry.points > 0
        return i18n.text(language, "Given back") if gave else i18n.text(language, "Taken back")
    if entry.kind == "merge":
        arrived = entry.points > 0
        return i18n.text(language, "From another card") if arrived else i18n.text(language, "Moved to another card")
    if entry.unit.startswith(("stamp:", "voucher:")) and entry.kind in {"earn", "spend"}:
        return _kind_of_stamps(entry, language)
    return {
        "earn": i18n.text(language, "Purchase"),
        "activate": i18n.text(language, "Ready to use"),
        "spend": i18n.text(language, "Points used"),
        "offer": i18n.text(language, "Offer used"),
        "hold": i18n.text(language, "Set aside"),
        "capture": i18n.text(language, "Used from what was set aside"),
        "release": i18n.text(language, "No longer set aside"),
        "expire": i18n.text(language, "Expired"),
        "adjust": i18n.text(language, "Corrected"),
        "writeoff": i18n.text(language, "What was owed is forgiven"),
        "load": i18n.text(language, "Loaded"),
        "pay": i18n.text(language, "Paid with the card"),
        "refund": i18n.text(language, "Refunded"),
    }.get(entry.kind, entry.kind)


def _kind_of_stamps(entry: Entry, language: str) -> str:
    """Stamps are given; a full card turns them into a reward, which is used later."""
    if entry.unit.startswith("stamp:"):
        return i18n.text(language, "Stamped") if entry.kind == "earn" else i18n.text(language, "Card full")
    return i18n.text(language, "Card full") if entry.kind == "earn" else i18n.text(language, "Reward used")


def unit(name: str, language: str) -> str:
    """What is counted: "Points", "Stamps", "Money (TRY)"."""
    first, _, rest = name.partition(":")
    known = {
        POINTS: i18n.text(language, "Points"),
        "stamp": i18n.text(language, "Stamps"),
        "voucher": i18n.text(language, "Vouchers"),
        "bonus": i18n.text(language, "Money for later (%(currency)s)", currency=rest),
    }
    return known.get(first) or i18n.text(language, "Money (%(currency)s)", currency=name)


def amount(units: int, of: str, language: str) -> str:
    """Units as people read them: money with its currency, all else as a number."""
    first, _, rest = of.partition(":")
    if first == "bonus":
        return money.shown(units, rest, language)
    if first in {POINTS, "stamp", "voucher"}:
        return words.number(units, language).replace("-", "−")
    return money.shown(units, of, language)


def signed(units: int, of: str, language: str) -> str:
    """+35, −18; nothing for what moved nothing."""
    if not units:
        return ""
    return ("+" if units > 0 else "−") + amount(abs(units), of, language)


def reasons(entry: Entry, language: str) -> list[str]:
    """Why it is as much as it is, a sentence each."""
    return [words.sentence(reason, language, entry.currency) for reason in entry.reasons]


def facts(movement: Movement, language: str, zone: str) -> list[Fact]:
    """What explains a movement, as (label, value) pairs: its reasons, its lines, what became of it, what it left."""
    entry = movement.entry
    found: list[Fact] = []
    if entry.reasons:
        found.append((i18n.text(language, "Why"), "; ".join(reasons(entry, language))))
    found += [(_line(line, language), signed(line.points, movement.unit, language) or "0") for line in movement.lines]
    if movement.filled:
        filled = amount(movement.filled, movement.unit, language)
        found.append((i18n.text(language, "Of it, for what was owed"), filled))
    found += _times(movement, language, zone)
    if movement.taken_back or movement.is_undone:
        back = amount(movement.taken_back, movement.unit, language)
        found.append(
            (i18n.text(language, "Undone since"), i18n.text(language, "all of it") if movement.is_undone else back)
        )
    if movement.version is not None:
        version = i18n.text(language, "version %(number)s", number=movement.version)
        found.append((i18n.text(language, "Rules"), version))
    return [*found, *balance(movement, language)]


def balance(movement: Movement, language: str) -> list[Fact]:
    """What was there after a movement; zeros are left out, but for what can be spent."""
    after = movement.balance
    named = (
        (i18n.text(language, "Balance after it"), after.available, True),
        (i18n.text(language, "Set aside then"), after.held, False),
        (i18n.text(language, "Waiting then"), after.pending, False),
        (i18n.text(language, "Owed then"), after.owed, False),
    )
    return [(label, amount(units, movement.unit, language)) for label, units, always in named if units or always]


def last_day(expires_at: datetime, language: str, zone: str) -> str:
    """The last day on which units can be spent: they are gone with the first instant of the next one."""
    day = localtime.wall_clock(expires_at - timedelta(milliseconds=1), zone).date()
    return str(format_date(day, "d MMM y", locale=i18n.nearest(language)))


def _times(movement: Movement, language: str, zone: str) -> list[Fact]:
    found: list[Fact] = []
    if movement.due_at is not None:
        day = localtime.wall_clock(movement.due_at, zone).date()
        shown = str(format_date(day, "d MMM y", locale=i18n.nearest(language)))
        found.append((i18n.text(language, "Can be used from"), shown))
    if movement.entry.kind == "expire":
        earned = {localtime.wall_clock(lot.earned_at, zone).date() for lot in movement.used}
        days = ", ".join(str(format_date(day, "d MMM y", locale=i18n.nearest(language))) for day in sorted(earned))
        return [*found, (i18n.text(language, "Earned on"), days)] if days else found
    if dates := _ends(movement.opened, movement.unit, language, zone):
        found.append((i18n.text(language, "Can be used until"), dates))
    if dates := _ends([lot for lot in movement.used if lot.units > 0], movement.unit, language, zone):
        found.append((i18n.text(language, "Taken from what ends on"), dates))
    return found


def _ends(lots: Sequence[Dated], of: str, language: str, zone: str) -> str:
    dated = [(lot.units, last_day(lot.expires_at, language, zone)) for lot in lots if lot.expires_at is not None]
    if len(lots) == 1:
        return dated[0][1] if dated else ""
    return ", ".join(f"{amount(units, of, language)}: {day}" for units, day in dated)


def _line(line: EntryLine, language: str) -> str:
    name = line.product or line.category or i18n.text(language, "Line %(number)s", number=line.line_no)
    return f"{name} × {line.quantity}" if line.quantity > 1 else name
