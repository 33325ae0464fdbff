"""What an operator types of a reward, brought into the draft that the catalogue takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from app import localtime, money
from app.admin.texts import gettext
from app.cards.models import Programme
from app.errors import AppError, Unprocessable
from app.i18n import LANGUAGES, translate
from app.ledger.held import POINTS
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward

NUMBERS = (
    "max_share", "needs_pieces", "limit_per_member", "limit_per_member_day", "limit_total", "limit_per_day", "stock",
    "goal_days",
)  # fmt: skip
AMOUNTS = {"value": "value_minor", "min_spend": "min_spend_minor"}
LONGEST_NUMBER = 12


Fields = MultiDict[str, str]


@dataclass
class _Read:
    """Fields as they are read, and a sentence for each that cannot be."""

    form: Fields
    programme: Programme
    errors: dict[str, str] = field(default_factory=dict)

    def line(self, name: str) -> str:
        return self.form.get(name, "").strip()

    def whole(self, name: str) -> int | None:
        digits = "".join(self.line(name).split())
        if not digits:
            return None
        if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER:
            return int(digits)
        self.errors[name] = gettext("Write a whole number, or leave it empty.")
        return None

    def amount(self, name: str) -> int | None:
        typed = self.line(name).replace(",", ".")
        if not typed:
            return None
        try:
            return money.minor_units(typed, self.programme.currency, field=name)
        except AppError as problem:
            self.errors[name] = translate(problem.public)
            return None

    def moment(self, name: str) -> datetime | None:
        typed = self.line(name)
        if not typed:
            return None
        try:
            local = datetime.fromisoformat(typed)
            if local.tzinfo is None:
                return localtime.instant(local, self.programme.timezone)
        except (ValueError, OverflowError):
            pass
        self.errors[name] = gettext("Choose a day and a time.")
        return None

    def rows(self, name: str) -> list[int]:
        return [int(one) for one in self.form.getlist(name) if one.isascii() and one.isdigit() and len(one) < 19]


def draft(form: Fields, programme: Programme, *, of: Reward | None = None) -> RewardDraft:
    """A reward as typed; what it cannot be is found where it is written.

    Raises: Unprocessable `invalid_reward` with a sentence for each field that cannot be read.
    """
    read = _Read(form, programme)
    values: dict[str, Any] = {name: read.whole(name) for name in NUMBERS}
    values |= {column: read.amount(name) for name, column in AMOUNTS.items()}
    values |= {name: read.moment(name) for name in ("starts_at", "ends_at")}
    values["points"] = _points(read)
    if of is not None:
        values["stock"] = of.stock
    made = RewardDraft(
        name=read.line("name"),
        kind=of.kind if of is not None else (read.line("kind") or "product"),
        unit=(of.unit or POINTS) if of is not None else (read.line("unit") or POINTS),
        texts=_texts(read, "name"),
        about=form.get("about", "").replace("\r\n", "\n"),
        about_texts=_texts(read, "about"),
        flexible=bool(form.get("flexible")),
        pick_up=bool(form.get("pick_up")),
        needs_product=read.line("needs_product"),
        stores=read.rows("stores"),
        tiers=read.rows("tiers"),
        no_show=read.line("no_show") or "keep",
        cancel_before_h=read.whole("cancel_before_h") or 0,
        **values,
    )
    if read.errors:
        raise Unprocessable("invalid_reward", " ".join(read.errors.values()), errors=read.errors)
    return made


def typed(reward: Reward, programme: Programme) -> dict[str, str]:
    """A reward as it stands in its fields."""
    values = {name: "" if getattr(reward, name) is None else str(getattr(reward, name)) for name in NUMBERS}
    for name, column in AMOUNTS.items():
        minor = getattr(reward, column)
        values[name] = "" if minor is None else money.decimal_text(minor, programme.currency)
    for name in ("starts_at", "ends_at"):
        at = getattr(reward, name)
        values[name] = "" if at is None else localtime.wall_clock(at, programme.timezone).isoformat("T", "minutes")
    ticks = {name: "yes" if getattr(reward, name) else "" for name in ("flexible", "pick_up")}
    return {
        **values,
        **ticks,
        "name": reward.name,
        "kind": reward.kind,
        "unit": reward.unit or POINTS,
        "points": str(reward.points or ""),
        "about": reward.about,
        "needs_product": reward.needs_product,
        "no_show": reward.no_show,
        "cancel_before_h": str(reward.cancel_before_h),
        **{f"name-{language}": text for language, text in reward.texts.items()},
        **{f"about-{language}": text for language, text in reward.about_texts.items()},
    }


def by_field(errors: Mapping[str, str]) -> dict[str, str]:
    """The catalogue's refusals beside the fields of this form: `texts.tr` is the field `name-tr`."""
    places = {"texts": "name", "about_texts": "about"}
    found = {}
    for name, text in errors.items():
        first, dot, language = name.partition(".")
        found[f"{places[first]}-{language}" if dot and first in places else name] = translate(text)
    return found


def moments(form: Fields, programme: Programme, names: Sequence[str]) -> list[datetime]:
    """Local times that must be there.

    Raises: Unprocessable `invalid_slot`.
    """
    read = _Read(form, programme)
    found = [read.moment(name) for name in names]
    for name, at in zip(names, found, strict=True):
        if at is None:
            read.errors[name] = gettext("Choose a day and a time.")
    if read.errors:
        raise Unprocessable("invalid_slot", " ".join(read.errors.values()), errors=read.errors)
    return [at for at in found if at is not None]


def whole(form: Fields, name: str) -> int:
    """A whole number as typed, perhaps with a minus sign; 0 for what is none."""
    digits = "".join(form.get(name, "").split()).replace("\N{MINUS SIGN}", "-").removeprefix("+")
    bare = digits.removeprefix("-")
    return int(digits) if bare.isascii() and bare.isdigit() and len(bare) <= LONGEST_NUMBER else 0


def _points(read: _Read) -> int | None:
    """Without a price it is given on its condition; what is no number is a price that the catalogue refuses."""
    if not read.line("points"):
        return None
    found = read.whole("points")
    read.errors.pop("points", None)
    return found or 0


def _texts(read: _Read, name: str) -> dict[str, str]:
    words = {language: read.form.get(f"{name}-{language}", "").replace("\r\n", "\n") for language in LANGUAGES}
    return {language: text.strip() for language, text in words.items() if text.strip()}
