"""What a marketer typed about the worth of a campaign."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from babel.numbers import get_decimal_symbol, get_group_symbol

from app import money
from app.errors import AppError
from app.i18n import page_language, translate
from app.results.models import CampaignWorth
from app.results.service import WorthDraft

FIELDS = ("margin", "redemption", "sending")


@dataclass(frozen=True, kw_only=True)
class WorthForm:
    """The fields as typed, what is wrong with them, and the draft where nothing is."""

    values: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    draft: WorthDraft | None = None


def kept(worth: CampaignWorth | None, currency: str) -> WorthForm:
    """What was said before, as somebody types it."""
    values = {}
    for name in FIELDS:
        minor = getattr(worth, f"{name}_minor", None)
        values[name] = "" if minor is None else money.as_typed(minor, currency, page_language())
    return WorthForm(values=values)


def parse(values: Mapping[str, str], currency: str) -> WorthForm:
    """Read the fields; an empty margin claims no money, another empty field is zero."""
    errors: dict[str, str] = {}
    minor: dict[str, int | None] = {}
    for name in FIELDS:
        typed = values.get(name, "").strip()
        try:
            minor[name] = money.minor_units(_plain(typed), currency, field=name) if typed else None
        except AppError as refusal:
            errors[name] = translate(refusal.public)
    if errors:
        return WorthForm(values=values, errors=errors)
    draft = WorthDraft(
        margin_minor=minor["margin"],
        redemption_minor=minor["redemption"] or 0,
        sending_minor=minor["sending"] or 0,
    )
    return WorthForm(values=values, draft=draft)


def _plain(typed: str) -> str:
    """The amount with a decimal point, as the reader's language groups and marks it."""
    language = page_language()
    grouping, mark = get_group_symbol(language), get_decimal_symbol(language)
    if mark in typed:
        typed = typed.replace(grouping, "")
    return typed.replace(mark, ".").replace(
        ",", "."
    )  # a comma is a decimal mark here: what has three decimals is refused
