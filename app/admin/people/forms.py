"""Who may hand out which role and place, and what an operator types of staff and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.admin.texts import gettext
from app.cards.models import Programme, Store
from app.errors import Unprocessable
from app.i18n import LANGUAGES
from app.staff import rules
from app.staff.guards import StaffIdentity
from app.staff.models import ROLES, Staff

WHOLE_INSTALLATION_SCOPE = "admin"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where somebody works: everywhere (both None), in one programme, or in one of its stores."""

    value: str
    label: str
    programme: Programme | None = None
    store: Store | None = None


@dataclass(frozen=True, kw_only=True)
class StaffForm:
    """A person as typed."""

    email: str
    name: str
    role: str
    password: str
    language: str
    place: Place

    @classmethod
    def parse(cls, form: Mapping[str, str], me: StaffIdentity, places: Sequence[Place]) -> "StaffForm":
        """Raises: Unprocessable with `errors` for role, place or language: what this person may not hand out."""
        errors: dict[str, str] = {}
        role, language = form.get("role", ""), form.get("language", "en")
        place = next((one for one in places if one.value == form.get("place", "")), None)
        if role not in roles_for(me):
            errors["role"] = gettext("Choose one of the roles in the list.")
        if place is None:
            errors["place"] = gettext("Choose one of the places in the list.")
        if language not in LANGUAGES:
            errors["language"] = gettext("Choose one of the languages in the list.")
        if errors or place is None:
            raise Unprocessable("invalid_staff", " ".join(errors.values()), errors=errors)
        return cls(
            email=form.get("email", ""), name=form.get("name", ""), role=role, password=form.get("password", ""),
            language=language, place=place,
        )  # fmt: skip


def roles_for(me: StaffIdentity) -> list[str]:
    """The roles that this person may hand out: only an owner makes owners, and nobody beyond their own programme."""
    return [role for role in ROLES if role != rules.OWNER or (me.role == rules.OWNER and me.programme_id is None)]


def scopes_for(me: StaffIdentity) -> list[str]:
    """The scopes that this person may give to a key; `admin` makes programmes, so it is for the whole installation."""
    return [scope for scope in rules.SCOPES if scope != WHOLE_INSTALLATION_SCOPE or me.programme_id is None]


def places_for(me: StaffIdentity, programmes: Sequence[Programme], stores: Sequence[Store]) -> list[Place]:
    """The places that this person may give to another: their own and what lies in it."""
    if me.store_id is not None:
        programmes, stores = [], [one for one in stores if one.id == me.store_id]
    found = [] if me.programme_id is not None else [Place(value="", label=gettext("Everywhere"))]
    names = {one.id: one.name for one in programmes}
    for programme in programmes:
        label = gettext("%(programme)s, all stores", programme=programme.name)
        found.append(Place(value=programme.public_id, label=label, programme=programme))
        found += [_store(one, names) for one in stores if one.programme_id == programme.id]
    return found or [_store(one, names) for one in stores]


def may_end(me: StaffIdentity, person: Staff) -> bool:
    """Whether this person may end the other's access: not one's own, and an owner's only as an owner."""
    return person.active and person.id != me.id and (person.role != rules.OWNER or me.role == rules.OWNER)


def _store(store: Store, names: Mapping[int, str]) -> Place:
    programme = names.get(store.programme_id, "")
    return Place(value=store.public_id, label=f"{programme} · {store.name}".strip(" ·"), store=store)
