"""What people type on the join page, checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from babel.core import get_global

from app.cards import people
from app.cards.models import Programme
from app.cards.people import Person
from app.errors import Unprocessable

LONGEST_CONTACT = 254
FORM_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class JoinForm:
    """The join form as it was sent; `person` is None while `errors` (by field) is not empty.

    `form_key` was made with the page, so that a button pressed twice makes one card. `is_robot`: the hidden field was
    filled in.
    """

    name: str = ""
    contact: str = ""
    consent: bool = False
    form_key: str = ""
    another: bool = False
    is_robot: bool = False
    person: Person | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, form: Mapping[str, str], programme: Programme) -> "JoinForm":
        """Read a sent form; what was typed is kept beside its errors."""
        name, contact = form.get("name", ""), form.get("contact", "").strip()
        person, errors = _person(name, contact, region_of(programme))
        key = form.get("form_key", "")
        return cls(
            name=showable(name),
            contact=showable(contact),
            consent=form.get("consent") == "yes",
            form_key=key if FORM_KEY.fullmatch(key) else "",
            another=form.get("another") == "1",
            is_robot=bool(form.get("leave_empty", "")),
            person=person,
            errors=errors,
        )


def region_of(programme: Programme) -> str:
    """The country in which the programme's zone lies: how a phone number without a country code is read."""
    territories: Mapping[str, str] = get_global("zone_territories")
    found = territories.get(programme.timezone, "")
    return found if len(found) == 2 and found.isalpha() else {"tr": "TR", "id": "ID"}.get(programme.language, "GB")


def contact_of(text: str, programme: Programme) -> Person:
    """An e-mail address or a phone number as a person without a name.

    Raises: Unprocessable, with the message under `contact`.
    """
    person, errors = _person("-", text.strip(), region_of(programme))
    if not text.strip():
        errors = {"contact": "Write your e-mail address or your phone number."}
    if person is None or errors:
        raise Unprocessable("invalid_contact", errors["contact"], errors=errors)
    return person


def _person(name: str, contact: str, region: str) -> tuple[Person | None, dict[str, str]]:
    too_long = "An e-mail address or phone number is not as long as that."
    errors = {"contact": too_long} if len(contact) > LONGEST_CONTACT else {}
    is_email = "@" in contact
    email, phone = (contact, None) if is_email else (None, contact or None)
    if errors:
        email = phone = None
    try:
        person = people.checked(name, email=email or None, phone=phone, region=region)
    except Unprocessable as refusal:
        for key, text in refusal.errors.items():
            errors["name" if key == "name" else "contact"] = text
        return None, errors
    return (None if errors else person), errors


def showable(text: str) -> str:
    """What can be put back into a field: no control characters, and no more than anybody would read."""
    return "".join(c for c in text if c.isprintable())[:1000]
