"""Codes out of the house and into it, as CSV. What comes in is judged row by row; what goes out can go once."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards import codes as card_codes
from app.coupons import batches, codes
from app.coupons.models import Batch, Coupon
from app.db import Database
from app.errors import Conflict, Sentence, Unprocessable
from app.vault import Vault

AT_ONCE = 5_000
HEADER = "code"
MOST_ERRORS = 200
MASKED = 4


@dataclass(frozen=True, kw_only=True)
class RowError:
    """A row that was refused. `code` shows its last four characters alone."""

    row: int
    code: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A file as it was read: codes that can be taken, normalised, and what is wrong with the other rows.

    `faulty` counts all of these; `errors` are the first of them.
    """

    codes: tuple[str, ...]
    errors: tuple[RowError, ...]
    faulty: int


def check_exportable(batch: Batch) -> None:
    """See that the codes of a batch can still be told.

    Raises: Conflict `not_ready`, `revoked`, or `downloaded` when they were forgotten, or were never ours.
    """
    if batch.state == "making":
        raise Conflict("not_ready", "The codes are still being made; wait for the last one.")
    if batch.state == "revoked":
        raise Conflict("revoked", "These codes were called back.")
    if batch.seed is None:
        raise Conflict("downloaded", "These codes were downloaded; nobody can tell them again.")


def page(session: Session, batch: Batch, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Codes of a batch with their numbers, from the one after number *after* on.

    Raises: as `check_exportable`.
    """
    check_exportable(batch)
    vault: Vault = session.info["vault"]
    query = select(Coupon.no).where(Coupon.batch_id == batch.id, Coupon.no > after).order_by(Coupon.no).limit(limit)
    numbers = list(session.scalars(query))
    if not numbers:
        return []
    seed = vault.open(batch.seed or b"")
    span = codes.computed(seed, numbers[0], numbers[-1] - numbers[0] + 1)
    wanted = set(numbers)
    return [(number, code) for number, code in enumerate(span, start=numbers[0]) if number in wanted]


def lines(
    database: Database,
    public_id: str,
    *,
    now: Callable[[], datetime],
    told: Callable[[int], None] = lambda _: None,
    kept: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """The CSV file of a batch, line by line; *told* hears how many codes went out with each step, and *kept* is called
    before they are forgotten: to see that the file is on the disk.

    Codes are grouped by dashes, which the till forgives: a spreadsheet takes them for text, not for numbers. When the
    last one has gone out the codes are forgotten; a download that breaks off can be begun again.

    Raises: as `check_exportable`.
    """
    yield f"{HEADER}\r\n"
    after = -1
    while True:
        with database.reading() as session:
            found = page(session, batches.by_public_id(session, public_id), after=after, limit=AT_ONCE)
        if not found:
            break
        yield "".join(f"{dashed(code)}\r\n" for _, code in found)
        told(len(found))
        after = found[-1][0]
    kept()
    database.transact(lambda session: forget(session, batches.by_public_id(session, public_id), now=now()))


def forget(session: Session, batch: Batch, *, now: datetime) -> None:
    """From now on nobody can tell the codes of a batch any more; they can be used all the same."""
    session.execute(
        update(Batch)
        .where(Batch.id == batch.id, Batch.downloaded_at.is_(None), Batch.state == "ready")
        .values(seed=None, downloaded_at=now)
        .execution_options(synchronize_session=False)
    )
    session.refresh(batch)


def dashed(code: str) -> str:
    """For people and spreadsheets: `7K3M-9QX2-TDS`."""
    return card_codes.grouped(code).replace(" ", "-")


def read(session: Session, programme_id: int, text: str) -> Brought:
    """Judge a file of codes: one in each row, in the first column; a first row `code` is its heading.

    Raises: Unprocessable `batch_too_large` above 1,000,000 rows, `invalid_csv`.
    """
    good: dict[str, int] = {}
    errors: list[RowError] = []
    for row, cell in _cells(text):
        code = codes.normalise(cell)
        if code is None:
            errors.append(_error(row, cell, why_not(cell)))
        elif code in good:
            errors.append(_error(row, cell, Sentence("This code stands in row %(row)s too.", row=good[code])))
        else:
            good[code] = row
        if len(good) + len(errors) > batches.LARGEST_BATCH:
            text = "A batch has at most 1000000 codes; make several."
            raise Unprocessable("batch_too_large", text, errors={"file": text})
    for code in batches.taken(session, programme_id, list(good)):
        errors.append(_error(good.pop(code), code, "This code is in use already."))
    errors.sort(key=lambda one: one.row)
    return Brought(codes=tuple(good), errors=tuple(errors[:MOST_ERRORS]), faulty=len(errors))


def decoded(content: bytes) -> str:
    """The text of a file, as spreadsheets write it.

    Raises: Unprocessable `invalid_csv`.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "Save the file as CSV in UTF-8."
        raise Unprocessable("invalid_csv", text, errors={"file": text}) from None


def report(errors: Sequence[RowError]) -> Iterator[str]:
    """What was refused, as a CSV file."""
    for error in errors:
        written = io.StringIO()
        csv.writer(written).writerow([error.row, error.code, error.sentence])
        yield written.getvalue()


def _cells(text: str) -> Iterator[tuple[int, str]]:
    separator = ";" if ";" in text.partition("\n")[0] else ","
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1):
            cell = row[0].strip() if row else ""
            if cell and not (number == 1 and cell.lower() == HEADER):
                yield number, cell
    except csv.Error as problem:
        text = "This is no CSV file with a code in each row."
        raise Unprocessable("invalid_csv", text, errors={"file": text}) from problem


def why_not(cell: str) -> str:
    """What is wrong with a text that is no code, for whoever writes codes of their own."""
    plain = "".join(c.upper() if c.isascii() else c for c in cell[:100])
    body = plain.translate(card_codes.SEPARATORS).translate(card_codes.LOOK_ALIKES)
    if len(body) == card_codes.SYMBOLS + 1 and all(symbol in card_codes.ALPHABET for symbol in body):
        check = card_codes.check_symbol(body[:-1])
        return Sentence("Its last character does not fit; it would be %(check)s.", check=check)
    return "A code has 11 characters with its check character, or 12 to 32 letters and digits with some of both."


def _error(row: int, cell: str, sentence: str) -> RowError:
    return RowError(row=row, code=f"…{cell[-MASKED:]}", sentence=sentence)
