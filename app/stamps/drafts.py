"""A stamp card as it is asked for, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app import i18n, money
from app.cards import texts
from app.cards.models import Programme, Store
from app.errors import AppError, Sentence, Unprocessable
from app.stamps.models import FEWEST, MOST, StampCard

LONGEST_NAME, LONGEST_REWARD, LONGEST_ITEM = 40, 100, 100
LONGEST_LIFE_DAYS = 3660
LONGEST_COOL_DOWN_MIN = 1440
LONGEST_WINDOW = timedelta(days=3660)
GIVES = ("visit", "piece", "amount")
ITEM_KINDS = ("any", "product", "category")
REWARD_KINDS = ("item", "amount_off", "percent_off", "gift")


@dataclass(frozen=True, kw_only=True)
class StampCardDraft:
    """`per` and, for amount_off, `reward_value` are decimal strings of the programme's money; for percent_off it is a
    whole number. `texts`: {language: {"name": …, "reward": …}}. Without `starts_at` it begins at once."""

    programme: Programme
    name: str
    reward: str
    size: int
    gives: str = "visit"
    per: str | None = None
    item_kind: str = "any"
    item: str = ""
    priority: int | None = None
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    reward_kind: str = "item"
    reward_value: str | None = None
    stamps_live_days: int | None = None
    vouchers_live_days: int | None = None
    cool_down_min: int = 10
    stores: Sequence[Store] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def checked(draft: StampCardDraft, *, now: datetime, since: datetime | None = None) -> dict[str, Any]:
    """The columns of a stamp card. *since*: when it has begun, if there is one already.

    Raises: Unprocessable `invalid_stamp_card` with a sentence for each faulty field.
    """
    errors: dict[str, str] = {}
    _check_words(draft, errors)
    _check_numbers(draft, errors)
    per_minor = _per_minor(draft, errors)
    item = _item(draft, errors)
    reward_value = _reward_value(draft, errors)
    starts_at = draft.starts_at or since or now
    _check_window(starts_at, draft.ends_at, now, errors)
    if any(store.programme_id != draft.programme.id for store in draft.stores):
        errors["stores"] = "A store here belongs to another programme."
    if errors:
        raise Unprocessable("invalid_stamp_card", " ".join(errors.values()), errors=errors)
    return {
        "name": draft.name.strip(),
        "reward": draft.reward.strip(),
        "texts": {language: {key: word.strip() for key, word in by.items()} for language, by in draft.texts.items()},
        "size": draft.size,
        "gives": draft.gives,
        "per_minor": per_minor,
        "item_kind": draft.item_kind,
        "item": item,
        "priority": draft.priority,
        "reward_kind": draft.reward_kind,
        "reward_value": reward_value,
        "stamps_live_days": draft.stamps_live_days,
        "vouchers_live_days": draft.vouchers_live_days,
        "cool_down_min": draft.cool_down_min,
        "stores": sorted({store.id for store in draft.stores}),
        "starts_at": starts_at,
        "ends_at": draft.ends_at,
    }


def check_rivals(others: Sequence[StampCard], made: StampCard) -> None:
    """Two stamp cards for one item at one time and place need different priorities, or the till would have to guess.

    Raises: Unprocessable `two_for_one_item`.
    """
    for other in others:
        if _meet(other, made) and (made.priority is None or other.priority is None or made.priority == other.priority):
            text = Sentence(
                'The stamp card "%(name)s" is live for the same item. Give both a priority of their own, or end one.',
                name=other.name,
            )
            raise Unprocessable("two_for_one_item", text, errors={"item": text, "priority": text})


def _meet(one: StampCard, other: StampCard) -> bool:
    if (one.item_kind, one.item.casefold()) != (other.item_kind, other.item.casefold()):
        return False
    if one.stores and other.stores and not set(one.stores) & set(other.stores):
        return False
    first, second = sorted((one, other), key=lambda each: each.starts_at)
    return first.ends_at is None or first.ends_at > second.starts_at


def _check_words(draft: StampCardDraft, errors: dict[str, str]) -> None:
    if not _is_word(draft.name, LONGEST_NAME):
        errors["name"] = Sentence("A stamp card has a name of 1 to %(most)s characters.", most=LONGEST_NAME)
    if not _is_word(draft.reward, LONGEST_REWARD):
        errors["reward"] = Sentence(
            "Say in 1 to %(most)s characters what a full card gives, such as a free coffee.", most=LONGEST_REWARD
        )
    for language, by in draft.texts.items():
        if language not in i18n.LANGUAGES:
            errors[f"texts.{language}"] = Sentence("Texts are given in %(all)s.", all=", ".join(i18n.LANGUAGES))
        for key, word in by.items():
            most = {"name": LONGEST_NAME, "reward": LONGEST_REWARD}.get(key)
            if most is None or len(word) > most or not texts.is_showable(word):
                errors[f"texts.{language}.{key}"] = "This is too long, or holds a character that cannot be shown."


def _check_numbers(draft: StampCardDraft, errors: dict[str, str]) -> None:
    if not FEWEST <= draft.size <= MOST:
        errors["size"] = Sentence(
            "A stamp card has %(fewest)s to %(most)s stamps.", fewest=FEWEST, most=MOST
        )  # fmt: skip
    for name in ("stamps_live_days", "vouchers_live_days"):
        days = getattr(draft, name)
        if days is not None and not 1 <= days <= LONGEST_LIFE_DAYS:
            errors[name] = Sentence("Write 1 to %(most)s days, or nothing for no end.", most=LONGEST_LIFE_DAYS)
    if not 0 <= draft.cool_down_min <= LONGEST_COOL_DOWN_MIN:
        errors["cool_down_min"] = Sentence(
            "Write 0 to %(most)s minutes; 0 never warns.", most=LONGEST_COOL_DOWN_MIN
        )  # fmt: skip
    if draft.priority is not None and not 1 <= draft.priority <= 1000:
        errors["priority"] = "A priority is a whole number from 1 to 1000; 1 goes first."


def _per_minor(draft: StampCardDraft, errors: dict[str, str]) -> int | None:
    if draft.gives not in GIVES:
        errors["gives"] = "Stamps are given per visit, piece or amount."
        return None
    if draft.gives != "amount":
        if draft.per:
            errors["per"] = "Only a stamp card that counts amounts has this."
        return None
    try:
        per_minor = money.minor_units(draft.per or "", draft.programme.currency, field="per")
    except AppError as problem:
        errors["per"] = problem.public
        return None
    if per_minor == 0:
        errors["per"] = "Stamps are given for amounts above zero."
    return per_minor


def _item(draft: StampCardDraft, errors: dict[str, str]) -> str:
    item = draft.item.strip()
    if draft.item_kind not in ITEM_KINDS:
        errors["item_kind"] = "A stamp card is for everything, a product or a category."
    elif draft.item_kind == "any" and item:
        errors["item"] = "Say whether this is a product or a category."
    elif draft.item_kind != "any" and not _is_word(item, LONGEST_ITEM):
        errors["item"] = Sentence("Name the item as your tills do, in 1 to %(most)s characters.", most=LONGEST_ITEM)
    return item


def _reward_value(draft: StampCardDraft, errors: dict[str, str]) -> int | None:
    value = (draft.reward_value or "").strip()
    if draft.reward_kind not in REWARD_KINDS:
        errors["reward_kind"] = "A reward is an item, an amount off, a percentage off or a gift."
    elif draft.reward_kind == "amount_off":
        try:
            minor = money.minor_units(value, draft.programme.currency, field="reward_value")
        except AppError as problem:
            errors["reward_value"] = problem.public
            return None
        if minor == 0:
            errors["reward_value"] = "An amount off is above zero."
        return minor
    elif draft.reward_kind == "percent_off":
        if value.isascii() and value.isdigit() and 1 <= int(value[:4]) <= 100:
            return int(value)
        errors["reward_value"] = "A percentage off is a whole number from 1 to 100."
    elif value:
        errors["reward_value"] = "Only an amount or a percentage off has a number."
    return None


def _check_window(starts_at: datetime, ends_at: datetime | None, now: datetime, errors: dict[str, str]) -> None:
    if ends_at is None:
        return
    if ends_at <= now:
        errors["ends_at"] = "This stamp card would be over already; choose an end in the future."
    elif ends_at <= starts_at:
        errors["ends_at"] = "The end comes after the start."
    elif ends_at - starts_at > LONGEST_WINDOW:
        errors["ends_at"] = "A stamp card lasts ten years at most."


def _is_word(word: str, longest: int) -> bool:
    return 1 <= len(word.strip()) <= longest and texts.is_showable(word)
