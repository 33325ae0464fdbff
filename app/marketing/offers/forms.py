"""What a marketer typed about an offer, as a draft or as a sentence for each field that is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flask_babel import gettext

from app import i18n, localtime, money
from app.cards.models import Programme, Store
from app.cards.programmes import is_zone
from app.errors import AppError
from app.localtime import Oddity
from app.marketing.offers import fields, keeping
from app.marketing.offers.keeping import Kept
from app.offers.models import KINDS, MEASURES, PERIODS
from app.offers.service import BudgetDraft, OfferDraft
from app.segments.models import Segment

EVERYBODY = "all"
TARGETED = "targeted"


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What an offer of a programme may name: its stores and its segments."""

    stores: Sequence[Store] = ()
    segments: Sequence[Segment] = ()


NO_CHOICES = Choices()


@dataclass(frozen=True, kw_only=True)
class OfferForm:
    """The fields as typed (`values`), what is wrong with them, and notes on times that the clocks skip or repeat."""

    values: Mapping[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    draft: OfferDraft | None = None

    @classmethod
    def parse(
        cls,
        values: Mapping[str, str],
        programme: Programme,
        *,
        now: datetime,
        choices: Choices = NO_CHOICES,
        kept: Kept | None = None,
    ) -> "OfferForm":
        """Read the fields; `draft` is there when every one of them could be read.

        Of a *kept* offer nothing is changed but what was sent otherwise than its form showed it.
        """
        sent = cls._read(values, programme, now=now, choices=choices)
        if kept is None or sent.draft is None:
            return sent
        shown = cls._read(kept.values, programme, now=now, choices=choices).draft
        draft = sent.draft if shown is None else keeping.changed(sent.draft, shown, kept, values)
        return replace(sent, draft=draft)

    @classmethod
    def _read(cls, values: Mapping[str, str], programme: Programme, *, now: datetime, choices: Choices) -> "OfferForm":
        errors: dict[str, str] = {}
        notes: list[str] = []
        zone = values.get("timezone") or programme.timezone
        if not is_zone(zone):
            errors["timezone"] = gettext("Choose a time zone from the list.")
            zone = programme.timezone
        starts = now if values.get("start_now") else _moment("starts_at", values, zone, errors, notes)
        ends = _moment("ends_at", values, zone, errors, notes)
        kind = values.get("kind") or "text"
        if kind not in KINDS:
            errors["kind"] = gettext("Choose what the offer gives.")
        parts: dict[str, Any] = {
            **_audience(values, programme, choices, errors),
            **{name: _whole(name, values, errors) for name in ("limit_per_card", "limit_total")},
            "grace_min": _whole("grace_min", values, errors, zero_too=True) or 0,
            "budgets": _budgets(values, programme.currency, errors),
            "stores": [one.id for one in choices.stores if values.get(f"store_{one.public_id}")],
        }
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
            announce=bool(values.get("announce")),
            kind=kind,
            terms=fields.terms_of(kind, values),
            windows=fields.windows_of(values),
            by_store=bool(values.get("by_store")),
            needs_code=bool(values.get("needs_code")),
            combines=values.get("combines") or "best",
            **parts,
        )
        return cls(values=values, notes=tuple(notes), draft=draft)

    def wrong(self, errors: Mapping[str, str]) -> "OfferForm":
        """The same form with the refusals of the offer itself, each beside its field."""
        budgets = [(one.measure, one.period) for one in self.draft.budgets] if self.draft else []
        rows = fields.filled_windows(self.values)
        named = {fields.place_of(name, budgets, rows): text for name, text in errors.items()}
        return OfferForm(values=self.values, errors=named, notes=self.notes, draft=self.draft)


def other_languages(programme: Programme) -> list[str]:
    """The languages in which an offer may be told besides the programme's own."""
    return [language for language in i18n.LANGUAGES if language != programme.language]


def _audience(
    values: Mapping[str, str], programme: Programme, choices: Choices, errors: dict[str, str]
) -> dict[str, Any]:
    wanted = values.get("audience", EVERYBODY)
    if wanted == EVERYBODY:
        return {}
    if wanted == TARGETED:
        return {"audience": TARGETED}
    for tier in programme.tiers:
        if str(tier.id) == wanted:
            return {"tier": tier}
    for segment in choices.segments:
        if segment.public_id == wanted:
            return {"audience": "segment", "segment_id": segment.id}
    kept = _kept_tiers(wanted, programme)
    if kept:
        return {"tiers": kept}
    errors["audience"] = gettext("Choose who the offer is for.")
    return {}


def _kept_tiers(wanted: str, programme: Programme) -> list[int]:
    """Several tiers, as an offer that was made over the API may have: "3+4"."""
    known = {str(tier.id): tier.id for tier in programme.tiers}
    names = wanted.split("+")
    return [known[name] for name in names] if len(names) > 1 and set(names) <= set(known) else []


def _texts(values: Mapping[str, str], own: str) -> dict[str, dict[str, str]]:
    texts: dict[str, dict[str, str]] = {}
    for language in i18n.LANGUAGES:
        source = "" if language == own else f"_{language}"
        words = {part: values.get(f"{part}{source}", "").strip() for part in ("title", "body")}
        if words["title"] or words["body"]:
            texts[language] = {part: text for part, text in words.items() if text}
    return texts


def _budgets(values: Mapping[str, str], currency: str, errors: dict[str, str]) -> list[BudgetDraft]:
    found = []
    for measure in MEASURES:
        for period in PERIODS:
            name = f"budget_{measure}_{period}"
            text = values.get(name, "").strip()
            if not text:
                continue
            most = _minor(name, text, currency, errors) if measure == "money" else _whole(name, values, errors) or 0
            found.append(BudgetDraft(measure=measure, period=period, most=most))
    return found


def _minor(name: str, text: str, currency: str, errors: dict[str, str]) -> int:
    try:
        return money.minor_units(fields.decimal(text), currency, field=name)
    except AppError as problem:
        errors[name] = problem.public
        return 0


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


def _whole(name: str, values: Mapping[str, str], errors: dict[str, str], *, zero_too: bool = False) -> int | None:
    text = values.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or (int(text) == 0 and not zero_too):
        errors[name] = gettext("Write a whole number above zero, or leave it empty for no limit.")
        return None
    return int(text)
