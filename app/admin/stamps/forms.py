"""A stamp card as an operator types it, and as it is shown again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app import localtime, money
from app.admin.programmes.forms import unprintable, whole_number
from app.admin.texts import gettext
from app.cards.models import Programme, Store
from app.errors import AppError, Unprocessable
from app.i18n import LANGUAGES, NAMES
from app.stamps import rules
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard

SHOWN_SHARE = 0.7


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A card of this kind as its holder sees it in one language."""

    language: str
    name: str
    drawn: str
    count: str
    reward: str


def draft(
    form: Mapping[str, str], store_ids: Sequence[str], programme: Programme, stores: Sequence[Store]
) -> StampCardDraft:
    """Raises: Unprocessable with `errors` for what is no number or no day."""
    errors = unprintable(form)
    starts_on, ends_on = _day(form, "starts_on", errors), _day(form, "ends_on", errors)
    numbers = {name: _number(form, name, errors) for name in ("stamps_live_days", "vouchers_live_days", "priority")}
    cool_down = _line(form, "cool_down_min")
    if errors:
        raise Unprocessable("invalid_stamp_card", " ".join(errors.values()), errors=errors)
    zone, gives = programme.timezone, _line(form, "gives")
    return StampCardDraft(
        programme=programme,
        name=_line(form, "name"),
        reward=_line(form, "reward"),
        size=whole_number(form.get("size", ""), wrong=-1),
        gives=gives,
        per=_money(form, "per") if gives == "amount" else None,
        item_kind=_line(form, "item_kind"),
        item=_line(form, "item") if _line(form, "item_kind") != "any" else "",
        texts=_texts(form),
        reward_kind=_line(form, "reward_kind"),
        reward_value=_money(form, "reward_value") if _line(form, "reward_kind").endswith("_off") else None,
        cool_down_min=whole_number(cool_down, wrong=-1) if cool_down else 10,
        stores=[one for one in stores if one.public_id in set(store_ids)],
        starts_at=localtime.start_of_day(starts_on, zone) if starts_on else None,
        ends_at=localtime.end_of_day(ends_on, zone) if ends_on else None,
        **numbers,
    )


def typed(row: StampCard) -> dict[str, str]:
    """A stamp card as its form shows it."""
    currency, zone = row.programme.currency, row.programme.timezone
    value = row.reward_value
    shown = "" if value is None else str(value)
    if row.reward_kind == "amount_off" and value is not None:
        shown = money.decimal_text(value, currency)
    texts = {f"{key}-{language}": words for language, by_name in row.texts.items() for key, words in by_name.items()}
    return {
        "name": row.name, "reward": row.reward, "size": str(row.size), "gives": row.gives, "item_kind": row.item_kind,
        "item": row.item, "reward_kind": row.reward_kind, "reward_value": shown,
        "per": "" if row.per_minor is None else money.decimal_text(row.per_minor, currency),
        "priority": _text(row.priority), "cool_down_min": str(row.cool_down_min),
        "stamps_live_days": _text(row.stamps_live_days), "vouchers_live_days": _text(row.vouchers_live_days),
        "starts_on": localtime.wall_clock(row.starts_at, zone).date().isoformat(),
        "ends_on": _last_day(row.ends_at, zone), **texts,
    }  # fmt: skip


def samples(wanted: StampCardDraft) -> list[Sample]:
    """How a card looks on which most stamps are there, in every language."""
    size = min(max(wanted.size, 2), 50)
    stamps = max(1, int(size * SHOWN_SHARE))
    return [
        Sample(
            language=NAMES[language],
            name=wanted.texts.get(language, {}).get("name") or wanted.name,
            reward=wanted.texts.get(language, {}).get("reward") or wanted.reward,
            drawn=rules.drawn(stamps, size),
            count=f"{stamps} / {size}",
        )
        for language in LANGUAGES
    ]


def by_field(problem: AppError, sentences: Mapping[str, str]) -> dict[str, str]:
    """Refusals beside the fields of this form."""
    names = {"starts_at": "starts_on", "ends_at": "ends_on"}
    found = {names.get(name, name): text for name, text in sentences.items()}
    for language in LANGUAGES:
        for key in ("name", "reward"):
            if text := found.pop(f"texts.{language}.{key}", ""):
                found[f"{key}-{language}"] = text
    return found or {"name": problem.public}


def _texts(form: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found = {
        language: {key: words for key in ("name", "reward") if (words := _line(form, f"{key}-{language}"))}
        for language in LANGUAGES
    }
    return {language: by_name for language, by_name in found.items() if by_name}


def _day(form: Mapping[str, str], name: str, errors: dict[str, str]) -> date | None:
    text = _line(form, name)
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 2000 <= day.year <= 2199:
        errors[name] = gettext("Choose a day, such as 2026-11-30.")
        return None
    return day


def _number(form: Mapping[str, str], name: str, errors: dict[str, str]) -> int | None:
    text = _line(form, name)
    if not text:
        return None
    number = whole_number(text, wrong=-1)
    if number < 0:
        errors[name] = gettext("Write a whole number, or nothing.")
    return number


def _money(form: Mapping[str, str], name: str) -> str:
    return _line(form, name).replace(",", ".")


def _line(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _last_day(ends_at: datetime | None, zone: str) -> str:
    if ends_at is None:
        return ""
    return localtime.wall_clock(ends_at - timedelta(milliseconds=1), zone).date().isoformat()
