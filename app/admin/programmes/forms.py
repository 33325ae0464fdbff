"""What an operator types of programmes and stores, brought into the shapes that services take."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from app.admin.texts import gettext
from app.cards.programmes import ProgrammeDraft, TierDraft
from app.errors import Unprocessable

TIER_ROWS = 4
LONGEST_NUMBER = 20


@dataclass(frozen=True, kw_only=True)
class StoreForm:
    """A shop as typed; degrees are None where the fields were left empty."""

    name: str
    timezone: str | None
    latitude: float | None
    longitude: float | None
    region: str

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> "StoreForm":
        """Raises: Unprocessable with `errors` for latitude and longitude."""
        errors: dict[str, str] = {}
        degrees = {name: _degrees(form.get(name, ""), name, errors) for name in ("latitude", "longitude")}
        if errors:
            raise Unprocessable("invalid_store", " ".join(errors.values()), errors=errors)
        return cls(
            name=_line(form, "name"), timezone=_line(form, "timezone") or None, region=_line(form, "region"), **degrees
        )


def draft(form: Mapping[str, str]) -> ProgrammeDraft:
    """A programme as typed; what is wrong with it is found where it is made."""
    return ProgrammeDraft(
        slug=_line(form, "slug"),
        name=_line(form, "name"),
        currency=_line(form, "currency").upper(),
        timezone=_line(form, "timezone"),
        language=_line(form, "language"),
        pass_type_identifier=_line(form, "pass_type_identifier"),
        team_identifier=_line(form, "team_identifier").upper(),
        organization_name=_line(form, "organization_name") or _line(form, "name"),
        description=_line(form, "description")[:200],
        earn_points=whole_number(form.get("earn.points", ""), wrong=-1),
        earn_per=_line(form, "earn.per").replace(",", ".") or None,
        tiers=tuple(_tiers(form)),
    )


def unprintable(form: Mapping[str, str]) -> dict[str, str]:
    """Fields that hold what cannot be shown, such as control characters."""
    text = gettext("This holds a character that cannot be shown; type it again.")
    return {name: text for name, value in form.items() if name != "csrf_token" and not value.strip().isprintable()}


def words_for_programme() -> dict[str, str]:
    """What is said beside a field that was refused; fields that are not here say the service's own words."""
    return {
        "slug": gettext("A short name has 1 to 60 small letters, digits and dashes, for example kahve-duragi."),
        "name": gettext("A programme has a name of 1 to 100 characters."),
        "organization_name": gettext("This has 1 to 100 characters."),
        "currency": gettext("Write an ISO 4217 code, for example TRY, IDR or EUR."),
        "timezone": gettext("Choose a time zone from the list."),
        "language": gettext("Choose one of the languages in the list."),
        "pass_type_identifier": gettext("Write the identifier registered with Apple, such as pass.com.example.card."),
        "team_identifier": gettext("It is the ten characters of your Apple team, for example A1B2C3D4E5."),
        "earn.points": gettext("Points are a whole number from 0 to 100000."),
    }


def words_for_store() -> dict[str, str]:
    return {
        "name": gettext("A store has a name of 1 to 100 characters."),
        "timezone": gettext("Choose a time zone from the list."),
    }


def whole_number(text: str, *, wrong: int = 0) -> int:
    """A whole number as typed, or *wrong* for what is none."""
    digits = "".join(text.split())
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else wrong


def _tiers(form: Mapping[str, str]) -> list[TierDraft]:
    """The rows that were filled in, wherever they stand."""
    found = []
    for row in range(TIER_ROWS):
        name = _line(form, f"tiers.{row}.name")
        threshold = _line(form, f"tiers.{row}.threshold").replace(",", ".")
        if not name and not threshold:
            continue
        multiplier = _line(form, f"tiers.{row}.multiplier").replace(",", ".") or "1"
        color = _line(form, f"tiers.{row}.background_color") or None
        found.append(TierDraft(name=name, threshold=threshold or "0", multiplier=multiplier, background_color=color))
    return found


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _degrees(text: str, name: str, errors: dict[str, str]) -> float | None:
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    try:
        if len(plain) > LONGEST_NUMBER:
            raise InvalidOperation
        value = Decimal(plain)
        if value.is_finite():
            return float(value)
    except InvalidOperation:
        pass
    errors[name] = gettext("Write degrees with decimals, for example 40.9903.")
    return None
