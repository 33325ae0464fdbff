"""What names a person: checked at the door, sealed at rest, found again by keyed digest."""

import json
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from app.cards import texts
from app.cards.models import Member
from app.errors import Sentence, Unprocessable
from app.i18n import capitals
from app.vault import Vault

LONGEST_NAME = 200
FARTHEST_AHEAD = timedelta(hours=14)  # of UTC, where a day begins first


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person as they named themselves. `birthday` is MM-DD: the year is nobody's business."""

    name: str
    email: str | None = None
    phone: str | None = None
    birthday: str | None = None


ERASED = Person(name="")


def checked(
    name: str, *, email: str | None = None, phone: str | None = None, birthday: str | None = None, region: str = "TR"
) -> Person:
    """Check and tidy what a person typed; `region` (ISO 3166) reads phone numbers without a country code.

    Raises: Unprocessable `invalid_person` with one sentence for each faulty field.
    """
    errors: dict[str, str] = {}
    person = Person(
        name=_name(name, errors),
        email=_email(email, errors) if email else None,
        phone=_phone(phone, region, errors) if phone else None,
        birthday=_birthday(birthday, errors) if birthday else None,
    )
    if errors:
        raise Unprocessable("invalid_person", " ".join(errors.values()), errors=errors)
    return person


def check_born(birthday: str | None, now: datetime) -> None:
    """See that a birthday with a year, once it is known to be one, lies behind everybody on earth.

    Raises: Unprocessable `invalid_person`.
    """
    latest = (now + FARTHEST_AHEAD).date()
    if birthday and len(birthday) == 10 and date.fromisoformat(birthday) > latest:
        text = "This birthday lies ahead; write it as MM-DD, without the year."
        raise Unprocessable("invalid_person", text, errors={"birthday": text})


def of(session: Session, member: Member) -> Person:
    """Open a member's personal data; an erased member has none."""
    return opened(_vault(session), member.sealed)


def opened(vault: Vault, sealed: bytes | None) -> Person:
    """As `of`, for what was read without its row."""
    return ERASED if sealed is None else Person(**json.loads(vault.open(sealed)))


def seal(session: Session, person: Person) -> bytes:
    """Personal data as it is kept in the database."""
    fields = {"name": person.name, "email": person.email, "phone": person.phone, "birthday": person.birthday}
    return _vault(session).seal(json.dumps(fields, ensure_ascii=False).encode())


def email_digest(session: Session, programme_id: int, email: str | None) -> str | None:
    """By which a known e-mail address is recognised within a programme."""
    return blind(session, f"{programme_id}:email:{email.casefold()}") if email else None


def phone_digest(session: Session, programme_id: int, phone: str | None) -> str | None:
    """By which a known phone number (E.164) is recognised within a programme."""
    return blind(session, f"{programme_id}:phone:{phone}") if phone else None


def blind(session: Session, text: str) -> str:
    """A keyed digest of *text*, by which it is found again without being stored."""
    return _vault(session).blind(text)


def short_name(name: str) -> str:
    """What a cashier may see: first name and the last one's initial."""
    parts = name.split()
    return f"{parts[0]} {parts[-1][0]}." if len(parts) > 1 else name


def initials(name: str, language: str = "en") -> str:
    """One or two letters for a round badge; a Turkish i keeps its dot."""
    parts = name.split()
    letters = "".join(part[0] for part in (parts[:1] + parts[-1:] if len(parts) > 1 else parts))
    return capitals(letters, language)


def _vault(session: Session) -> Vault:
    vault: Vault = session.info["vault"]
    return vault


def _name(text: str, errors: dict[str, str]) -> str:
    clean = unicodedata.normalize("NFC", " ".join(text.split()))
    if not clean:
        errors["name"] = "Write a name."
    elif len(clean) > LONGEST_NAME:
        errors["name"] = Sentence("A name has at most %(most)s characters.", most=LONGEST_NAME)
    elif not texts.is_showable(clean):
        errors["name"] = "The name holds a character that cannot be shown; type it again."
    return clean


def _email(text: str, errors: dict[str, str]) -> str:
    try:
        return str(validate_email(text.strip(), check_deliverability=False).normalized)
    except EmailNotValidError:
        errors["email"] = "This is not an e-mail address; it should look like name@example.com."
        return ""


def _phone(text: str, region: str, errors: dict[str, str]) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        errors["phone"] = "This is not a phone number; write it with its country code, for example +90 532 123 45 67."
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _birthday(text: str, errors: dict[str, str]) -> str:
    month_day = text[-5:] if len(text) in {5, 10} else ""
    try:
        date.fromisoformat(text if len(text) == 10 else f"2000-{month_day}")
    except ValueError:
        errors["birthday"] = "Write the birthday as MM-DD (or YYYY-MM-DD), for example 04-23."
        return ""
    return month_day
