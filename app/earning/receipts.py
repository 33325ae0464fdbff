"""Receipts of the past, read from a file: what a set of rules is tried out on.

CSV has a header with `at`, `amount` and any of the other names; rows that follow each other with the same `receipt` are
lines of one. JSON is a list of objects with the same names, with `lines` where CSV has rows. What cannot be read is
reported by its row, and nothing else is left out.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import localtime, money
from app.cards.models import Programme, Store, Tier
from app.earning.sale import LINE_KINDS, Basket, Line
from app.errors import AppError, Sentence, Unprocessable

ROWS_MAX = 100_000
FIELD_MAX = 200
NAMES = ("at", "amount", "store", "card", "tier", "receipt", "product", "category", "quantity", "discount", "kind")
LINE_NAMES = ("product", "category", "quantity", "amount", "discount", "kind")
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A tier: its name, its id in the API, and its factor of points."""

    name: str
    id: str
    factor: Fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Shop:
    """A store as the rules name it, and its clock."""

    id: str
    zone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A sale of the past. `card`: whose it was, None for somebody unknown; `zone`: that of the clock that decides."""

    at: datetime
    zone: str
    basket: Basket
    store: str | None = None
    card: str | None = None
    level: Level | None = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """What receipts of a programme may speak of. Stores and tiers by id, and by name in small letters."""

    currency: str
    zone: str
    stores: Mapping[str, Shop]
    levels: Mapping[str, Level]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A row that cannot be read: its number (a header is row 1), and what is wrong with it."""

    row: int
    text: str


@dataclass(kw_only=True)
class Read:
    """What a file holds."""

    receipts: list[Receipt] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rows: int = 0


def known(session: Session, programme: Programme) -> Known:
    """The stores and tiers of a programme."""
    stores: dict[str, Shop] = {}
    levels: dict[str, Level] = {}
    for store in session.scalars(select(Store).where(Store.programme_id == programme.id)):
        shop = Shop(id=store.public_id, zone=store.timezone)
        stores |= {store.public_id: shop, store.name.casefold(): shop}
    for tier in session.scalars(select(Tier).where(Tier.programme_id == programme.id)):
        factor = Fraction(tier.multiplier_num, tier.multiplier_den)
        level = Level(name=tier.name, id=f"tier_{tier.id}", factor=factor)
        levels |= {level.id: level, tier.name.casefold(): level}
    return Known(currency=programme.currency, zone=programme.timezone, stores=stores, levels=levels)


def from_csv(text: str, of: Known) -> Read:
    """Receipts of a CSV file, by comma, semicolon or tab.

    Raises: Unprocessable `invalid_receipts`, if it has no usable header or too many rows.
    """
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    head = lines.readline()
    delimiter = max((";", "\t", ","), key=head.count)
    names = [name.strip().lower() for name in head.strip().split(delimiter)]
    missing = [name for name in ("at", "amount") if name not in names]
    unknown = [name for name in names if name not in NAMES]
    if missing or unknown or len(set(names)) < len(names):
        raise _refused(
            Sentence(
                "The first row names the columns, each once: at and amount, and any of %(others)s.",
                others=", ".join(NAMES[2:]),
            )
        )
    found = Read()
    rows = _rows(csv.reader(lines, delimiter=delimiter), names, found)
    for _, group in groupby(rows, key=lambda one: one[1].get("receipt") or one[0]):
        _add(found, [(number, _with_dots(values, delimiter)) for number, values in group], of)
    found.faults.sort(key=lambda fault: fault.row)
    return found


def from_objects(raw: object, of: Known) -> Read:
    """Receipts of a JSON list; rows are counted from 1.

    Raises: Unprocessable `invalid_receipts`, if it is no list, or too long.
    """
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        raise _refused(Sentence("Receipts are a list of objects, or CSV."))
    found = Read()
    for number, one in enumerate(raw, start=1):
        values = one if isinstance(one, Mapping) else {}
        lines = values.get("lines")
        inner = lines if isinstance(lines, Sequence) and not isinstance(lines, str) else []
        found.rows += max(1, len(inner))
        _check_count(found)
        if problem := _odd(one, inner):
            found.faults.append(Fault(row=number, text=problem))
            continue
        head = {name: value for name, value in values.items() if name != "lines"}
        _add(found, [(number, {**head, **line}) for line in inner] or [(number, head)], of, has_lines=bool(inner))
    return found


def _rows(reader: Any, names: Sequence[str], found: Read) -> Iterator[tuple[int, dict[str, str]]]:
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            found.rows += 1
            _check_count(found)
            found.faults.append(Fault(row=number, text=Sentence("This row cannot be read as CSV.")))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        found.rows += 1
        _check_count(found)
        if len(cells) != len(names):
            text = Sentence("This row has %(cells)s cells; the first one has %(names)s.", cells=len(cells),
                            names=len(names))  # fmt: skip
            found.faults.append(Fault(row=number, text=text))
            continue
        yield number, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}


def _odd(one: object, inner: Sequence[Any]) -> str:
    """Why an object is no receipt; empty if it may be one."""
    if not isinstance(one, Mapping):
        return Sentence("A receipt is an object with at and amount, or at and lines.")
    unknown = [str(name)[:40] for name in one if name not in (*NAMES, "lines")]
    unknown += [
        str(name)[:40] for line in inner if isinstance(line, Mapping) for name in line if name not in LINE_NAMES
    ]
    if unknown:
        return Sentence(
            "There is no %(name)s in a receipt; there is %(known)s.", name=unknown[0], known=", ".join(NAMES)
        )
    if ("lines" in one and not inner) or not all(isinstance(line, Mapping) for line in inner):
        return Sentence("Lines are a list of objects, at least one.")
    return ""


def _add(found: Read, rows: list[tuple[int, Mapping[str, Any]]], of: Known, *, has_lines: bool = False) -> None:
    number, head = rows[0]
    try:
        found.receipts.append(_receipt(head, [values for _, values in rows], of, has_lines=has_lines or len(rows) > 1))
    except AppError as problem:
        found.faults += [Fault(row=row, text=problem.public) for row in dict.fromkeys(row for row, _ in rows)]
    except (ValueError, OverflowError):
        found.faults.append(Fault(row=number, text=Sentence("This row holds a value that cannot be meant.")))


def _receipt(head: Mapping[str, Any], rows: list[Mapping[str, Any]], of: Known, *, has_lines: bool) -> Receipt:
    store = _named(head, "store", of.stores)
    lines = tuple(_line(number, values, of) for number, values in enumerate(rows, start=1))
    amount_minor = sum(line.paid_minor for line in lines)
    if amount_minor <= 0:
        raise _refused(Sentence("The amount of a sale is above zero."))
    plain = not has_lines and lines[0].kind == "sale" and not (lines[0].product or lines[0].category)
    zone = store.zone if store else of.zone
    return Receipt(
        at=_moment(head.get("at"), zone),
        zone=zone,
        basket=Basket(amount_minor=amount_minor, lines=() if plain else lines),
        store=store.id if store else None,
        card=_text(head, "card") or None,
        level=_named(head, "tier", of.levels),
    )


def _line(number: int, values: Mapping[str, Any], of: Known) -> Line:
    kind = _text(values, "kind") or "sale"
    if kind not in LINE_KINDS:
        raise _refused(Sentence("A line's kind is one of %(kinds)s.", kinds=", ".join(LINE_KINDS)))
    amount_minor = money.minor_units(_text(values, "amount"), of.currency)
    discount_minor = money.minor_units(_text(values, "discount") or "0", of.currency)
    if discount_minor > amount_minor:
        raise _refused(Sentence("A discount is at most the price that it is taken off."))
    quantity = _text(values, "quantity") or "1"
    if not (quantity.isascii() and quantity.isdigit() and len(quantity) <= 6 and int(quantity)):
        raise _refused(Sentence("A quantity is a whole number above zero."))
    return Line(
        number=number,
        amount_minor=amount_minor,
        product=_text(values, "product"),
        category=_text(values, "category"),
        quantity=int(quantity),
        discount_minor=discount_minor,
        kind=kind,
    )


def _moment(value: object, zone: str) -> datetime:
    """An instant; without an offset, by the clock of the store."""
    try:
        at = datetime.fromisoformat(str(value))
        at = localtime.instant(at, zone) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = LATEST
    if not EARLIEST <= at < LATEST:
        raise _refused(Sentence("Write the time such as %(example)s.", example="2026-11-20 13:00"))
    return at


def _named(values: Mapping[str, Any], name: str, among: Mapping[str, Any]) -> Any:
    text = _text(values, name)
    found = among.get(text) or among.get(text.casefold())
    if text and found is None:
        raise _refused(Sentence("There is no %(what)s %(name)s in this programme.", what=name, name=text[:40]))
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > FIELD_MAX:
        raise _refused(Sentence("Write %(name)s as a short text or a number.", name=name))
    return str(value).strip()


def _with_dots(values: dict[str, str], delimiter: str) -> dict[str, str]:
    """Where commas do not part cells, people write decimals with them."""
    if delimiter == ",":
        return values
    return {name: one.replace(",", ".") if name in {"amount", "discount"} else one for name, one in values.items()}


def _check_count(found: Read) -> None:
    if found.rows > ROWS_MAX:
        raise _refused(Sentence("At most %(most)s rows can be tried out at once; send fewer.", most=ROWS_MAX))


def _refused(text: str) -> Unprocessable:
    return Unprocessable("invalid_receipts", text, errors={"receipts": text})
