"""Members out of a file: a row each, and why one was not taken. A yes that nothing shows is kept as a no."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import consents, people
from app.cards import service as cards
from app.cards.models import Programme, Suppression
from app.cards.people import Person
from app.errors import AppError, Conflict, Sentence, Unprocessable
from app.i18n import LANGUAGES

COLUMNS = ("name", "email", "phone", "birthday", "language", "marketing_consent", "consent_proof")
DELIMITERS = ",;\t"
NO_COUNTRY = "ZZ"  # a file gives phone numbers with their country code
NO_PROOF = "The yes has no proof beside it, in the column consent_proof; it was kept as a no."


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the file; `line` is where it stands there."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a row: `code` is taken, or that of a refusal. `text`: what is to be said about it."""

    line: int
    code: str
    text: str = ""

    @property
    def is_taken(self) -> bool:
        return self.code == "taken"


def rows(file: TextIO) -> Iterator[Row]:
    """The rows of a CSV file with a line of names above them, divided by commas, semicolons or tabs.

    Raises: Unprocessable `invalid_file`.
    """
    head = file.readline().lstrip("\ufeff")
    delimiter = max(DELIMITERS, key=head.count)
    names = [name.strip().casefold() for name in next(csv.reader([head], delimiter=delimiter), [])]
    unknown = [name for name in names if name not in COLUMNS]
    if "name" not in names or unknown or len(set(names)) != len(names):
        text = Sentence("The first line names the columns, some of %(known)s; name is needed.",
                        known=", ".join(COLUMNS))  # fmt: skip
        raise Unprocessable("invalid_file", text, errors={"columns": text})
    reader = csv.DictReader(file, fieldnames=names, delimiter=delimiter, restkey="", restval="")
    for found in reader:
        values = {name: value.strip() for name, value in found.items() if isinstance(value, str)}
        if any(values.values()):
            yield Row(line=reader.line_num + 1, values=values)


def take(session: Session, programme: Programme, row: Row, *, by: str, now: datetime) -> Taken:
    """Make a member of a row, unless it cannot be; the same row again is refused as `already_member`."""
    values = row.values
    answer = consents.imported(values.get("marketing_consent", ""), values.get("consent_proof", ""))
    try:
        person = people.checked(
            values.get("name", ""), email=values.get("email"), phone=values.get("phone"),
            birthday=values.get("birthday"), region=NO_COUNTRY,
        )  # fmt: skip
        people.check_born(values.get("birthday"), now)
        _check_forgotten(session, programme, person)
        language = _language(values.get("language", ""), programme)
        proof = f"{by} line {row.line}: {values.get('consent_proof', '')}"[: consents.LONGEST_PROOF]
        with session.begin_nested():
            cards.enrol(
                session, programme, person, language=language, source="import", consent=answer.granted,
                proof=proof if answer.granted else "", now=now,
            )  # fmt: skip
    except AppError as refusal:
        return Taken(line=row.line, code=refusal.code, text=refusal.public)
    return Taken(line=row.line, code="taken", text=NO_PROOF if answer.note else "")


def _language(text: str, programme: Programme) -> str:
    if text and text not in LANGUAGES:
        advice = Sentence("The language is one of %(known)s.", known=", ".join(LANGUAGES))
        raise Unprocessable("invalid_language", advice, errors={"language": advice})
    return text or programme.language


def _check_forgotten(session: Session, programme: Programme, person: Person) -> None:
    """Who was erased does not come back out of a file."""
    digests = [
        people.email_digest(session, programme.id, person.email),
        people.phone_digest(session, programme.id, person.phone),
    ]
    known = select(Suppression.digest).where(
        Suppression.programme_id == programme.id, Suppression.digest.in_([one for one in digests if one])
    )
    if session.scalar(known.limit(1)) is not None:
        raise Conflict("suppressed", "This person was forgotten and wants to stay so; they can join by themselves.")
