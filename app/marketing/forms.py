"""What a marketer typed about an offer, as a draft or as a sentence for each field that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from flask_babel import gettext

from app import i18n, localtime
from app.cards.models import Programme
from app.cards.programmes import is_zone
from app.localtime import Oddity
from app.offers.service import OfferDraft

EVERYBODY = "all"


@dataclass(frozen=True, kw_only=True)
class OfferForm:
    """The fields as typed (`values`), what is wrong with them, and notes on times that the clocks skip or repeat."""

    values: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    draft: OfferDraft | None = None

    @classmethod
    def parse(cls, values: Mapping[str, str], programme: Programme, *, now: datetime) -> "OfferForm":
        """Read the fields; `draft` is there when every one of them could be read."""
        errors: dict[str, str] = {}
        zone = values.get("timezone") or programme.timezone
        if not is_zone(zone):
            errors["timezone"] = gettext("Choose a time zone from the list.")
            zone = programme.timezone
        starts = now if values.get("start_now") else None
        notes: list[str] = []
        starts = starts or _moment("starts_at", values, zone, errors, notes)
        ends = _moment("ends_at", values, zone, errors, notes)
        tier = next((one for one in programme.tiers if str(one.id) == values.get("audience")), None)
        if tier is None and values.get("audience", EVERYBODY) != EVERYBODY:
            errors["audience"] = gettext("Choose who the offer is for.")
        limits = {name: _limit(name, values, errors) for name in ("limit_per_card", "limit_total")}
        if errors or starts is None or ends is None:
            return cls(values=values, errors=errors, notes=tuple(notes))
        draft = OfferDraft(
            programme=programme,
            title=values.get("title", ""),
            body=values.get("body", ""),
            texts=_texts(values, programme.language),
            starts_at=starts,
            ends_at=ends,
            timezone=zone,
            tier=tier,
            announce=bool(values.get("announce")),
            limit_per_card=limits["limit_per_card"],
            limit_total=limits["limit_total"],
        )
        return cls(values=values, notes=tuple(notes), draft=draft)

    def wrong(self, errors: Mapping[str, str]) -> "OfferForm":
        """The same form with the refusals of the offer itself, each beside its field."""
        places = {"segment": "audience"}
        named = {places.get(name, name).replace("texts.", "").replace(".", "_"): text for name, text in errors.items()}
        return OfferForm(values=self.values, errors=_by_field(named), notes=self.notes, draft=self.draft)


def other_languages(programme: Programme) -> list[str]:
    """The languages in which an offer may be told besides the programme's own."""
    return [language for language in i18n.LANGUAGES if language != programme.language]


def _by_field(named: Mapping[str, str]) -> dict[str, str]:
    """`tr_title` is the refusal of the field `title_tr`."""
    swapped = {}
    for name, text in named.items():
        first, _, second = name.partition("_")
        swapped[f"{second}_{first}" if first in i18n.LANGUAGES and second else name] = text
    return swapped


def _texts(values: Mapping[str, str], own: str) -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = {}
    for language in i18n.LANGUAGES:
        source = "" if language == own else f"_{language}"
        words = {part: values.get(f"{part}{source}", "").strip() for part in ("title", "body")}
        if words["title"] or words["body"]:
            texts[language] = {part: text for part, text in words.items() if text}
    return texts


def _moment(
    name: str, values: Mapping[str, str], zone: str, errors: dict[str, str], notes: list[str]
) -> datetime | None:
    try:
        local = datetime.fromisoformat(values.get(name, ""))
        if local.tzinfo is not None:
            raise ValueError("a local time has no offset")
        moment = localtime.instant(local, zone)
    except (ValueError, OverflowError):
        errors[name] = gettext("Choose a day and a time.")
        return None
    odd = localtime.oddity(local, zone)
    if odd is Oddity.SKIPPED:
        shown = localtime.wall_clock(moment, zone).strftime("%H:%M")
        notes.append(gettext("The clocks skip that time on that day; it means %(time)s.", time=shown))
    if odd is Oddity.TWICE:
        notes.append(gettext("The clocks show that time twice on that day; the first one counts."))
    return moment


def _limit(name: str, values: Mapping[str, str], errors: dict[str, str]) -> int | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        errors[name] = gettext("Write a whole number above zero, or leave it empty for no limit.")
        return None
    return int(text)
