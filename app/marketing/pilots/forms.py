"""A pilot as a marketer typed it, as a draft or as a sentence for each field that is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from flask_babel import gettext

from app.cards.models import Programme, Store
from app.pilots.service import Draft

ARM = "store_"


@dataclass(frozen=True, kw_only=True)
class PilotForm:
    """The fields as typed, what is wrong with them, and the draft where all could be read."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    draft: Draft | None = None


def parse(values: Mapping[str, str], programme: Programme, stores: Sequence[Store]) -> PilotForm:
    """Read the fields. Each store is in the pilot, is compared with, or is neither: `store_<id>`."""
    errors: dict[str, str] = {}
    kind, _, subject = values.get("subject", "").partition(":")
    if not subject:
        errors["subject"] = gettext("Choose what is tried.")
    starts_on, ends_on = (_day(values, name, errors) for name in ("starts_on", "ends_on"))
    if errors or starts_on is None or ends_on is None:
        return PilotForm(values=values, errors=errors)
    arms = {arm: [one for one in stores if values.get(ARM + one.public_id) == arm] for arm in ("pilot", "control")}
    draft = Draft(
        programme=programme, name=values.get("name", ""), kind=kind, subject=subject, starts_on=starts_on,
        ends_on=ends_on, pilot=arms["pilot"], control=arms["control"],
    )  # fmt: skip
    return PilotForm(values=values, draft=draft)


def _day(values: Mapping[str, str], name: str, errors: dict[str, str]) -> date | None:
    try:
        return date.fromisoformat(values.get(name, ""))
    except ValueError:
        errors[name] = gettext("Choose a day.")
        return None
