"""The catalogue: what there is to be had, put in, changed and taken out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from app import i18n, ids
from app.cards import programmes, texts
from app.cards.models import Programme, Store, Tier
from app.db import rows_changed
from app.errors import Conflict, NotFound, Sentence, Unprocessable
from app.ledger.booking import LARGEST_POINTS
from app.ledger.held import POINTS
from app.money import LARGEST_MINOR
from app.rewards.models import KINDS, Reward, Slot, Taking

LONGEST_NAME = 100
LONGEST_ABOUT = 500
LARGEST_LIMIT = 10**9
LONGEST_GOAL_DAYS = 3 * 366
PRICED = ("discount", "product", "gift", "experience", "donation")


@dataclass(frozen=True, kw_only=True)
class RewardDraft:
    """A reward as it is asked for; see `models.Reward`. `points` None: it is had by meeting its condition, `about`."""

    name: str
    points: int | None = None
    unit: str = POINTS
    kind: str = "product"
    texts: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    about_texts: Mapping[str, str] = field(default_factory=dict)
    flexible: bool = False
    value_minor: int | None = None
    max_share: int | None = None
    min_spend_minor: int | None = None
    needs_pieces: int | None = None
    needs_product: str = ""
    pick_up: bool = False
    limit_per_member: int | None = None
    limit_per_member_day: int | None = None
    limit_total: int | None = None
    limit_per_day: int | None = None
    stock: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    stores: Sequence[int] = ()
    tiers: Sequence[int] = ()
    no_show: str = "keep"
    cancel_before_h: int = 0
    goal_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """How often a reward was taken, and for how many units and how much money."""

    times: int
    units: int
    value_minor: int


def add(session: Session, programme: Programme, draft: RewardDraft, *, now: datetime) -> Reward:
    """Put something into the catalogue, and bring it to all cards: they show what points buy.

    Raises: Unprocessable `invalid_reward` with a sentence for each faulty field.
    """
    _check(session, programme, draft, now)
    reward = Reward(
        public_id=ids.public_id("rwd"), programme_id=programme.id, created_at=now, used=0, **_columns(draft)
    )
    reward.listed = _in_window(reward, now)
    session.add(reward)
    session.flush()
    if _is_shown(reward):
        programmes.redesigned(session, programme, now=now)
    return reward


def change(session: Session, programme: Programme, reward: Reward, draft: RewardDraft, *, now: datetime) -> Reward:
    """Write a reward anew. What is held or taken keeps the price it had; its stock is moved by `restock` alone.

    Raises: Unprocessable `invalid_reward`; Conflict `ended`, if it was taken out.
    """
    _check(session, programme, draft, now, of=reward)
    session.refresh(reward, with_for_update=True)
    if not reward.active:
        raise Conflict("ended", "This reward was taken out of the catalogue; add a new one.")
    was_shown, before = _is_shown(reward), _face(reward)
    for name, value in _columns(draft).items():
        if name != "stock":
            setattr(reward, name, value)
    reward.listed = _in_window(reward, now)
    session.flush()
    if was_shown != _is_shown(reward) or (was_shown and before != _face(reward)):
        programmes.redesigned(session, programme, now=now)
    return reward


def restock(session: Session, reward: Reward, *, by: int) -> int:
    """Move a counted stock by so many pieces, up or down, beside whatever tills take at the same time; what is left.

    Raises: Conflict `out_of_stock`, if so many are not there; Conflict `not_counted`.
    """
    moved = (
        update(Reward)
        .where(Reward.id == reward.id, Reward.stock + by >= 0, Reward.stock + by <= LARGEST_LIMIT)
        .values(stock=Reward.stock + by)
        .execution_options(synchronize_session=False)
    )
    changed = rows_changed(session, moved)
    session.refresh(reward)
    if reward.stock is None:
        raise Conflict("not_counted", "Nobody counts the stock of this reward; say first how many there are.")
    if not changed:
        raise Conflict("out_of_stock", Sentence("There are %(num)s left.", num=reward.stock))
    return reward.stock


def count_stock(session: Session, reward: Reward, *, stock: int | None) -> None:
    """Begin to count the stock, or stop counting it. A stock that is counted is moved by `restock`: what a till took
    meanwhile would be lost in a number that somebody read before.

    Raises: Conflict `stock_counted`; Unprocessable `invalid_reward`.
    """
    if stock is not None and not 0 <= stock <= LARGEST_LIMIT:
        text = "The stock is a whole number of pieces."
        raise Unprocessable("invalid_reward", text, errors={"stock": text})
    session.refresh(reward, with_for_update=True)
    if stock is not None and reward.stock is not None and stock != reward.stock:
        raise Conflict("stock_counted", "The stock is counted already; say how many pieces came or went.")
    reward.stock = stock
    session.flush()


def end(session: Session, programme: Programme, public_id: str, *, now: datetime) -> tuple[Reward, bool]:
    """Take something out of the catalogue and off the cards; what was redeemed stays. Whether it was in it.

    Raises: NotFound `unknown_reward`.
    """
    reward = by_public_id(session, programme.id, public_id)
    ended = update(Reward).where(Reward.id == reward.id, Reward.active).values(active=False, listed=False)
    was_shown = _is_shown(reward)
    was_active = rows_changed(session, ended)
    if was_active and was_shown:
        programmes.redesigned(session, programme, now=now)
    return reward, bool(was_active)


def by_public_id(session: Session, programme_id: int, public_id: str) -> Reward:
    """A reward of a programme.

    Raises: NotFound `unknown_reward`.
    """
    query = select(Reward).where(Reward.public_id == public_id, Reward.programme_id == programme_id)
    reward = session.scalars(query).one_or_none()
    if reward is None:
        raise NotFound("unknown_reward", "There is no such reward in this programme.")
    return reward


def for_points(session: Session, programme_id: int) -> list[Reward]:
    """What points buy in a programme now, cheapest first: what cards show."""
    query = select(Reward).where(Reward.programme_id == programme_id, shown())
    return list(session.scalars(query.order_by(Reward.points, Reward.id)))


def of_programme(session: Session, programme_id: int, *, with_ended: bool = False) -> list[Reward]:
    """The whole catalogue, what is no longer given last."""
    query = select(Reward).where(Reward.programme_id == programme_id)
    if not with_ended:
        query = query.where(Reward.active)
    return list(session.scalars(query.order_by(Reward.active.desc(), Reward.unit, Reward.points, Reward.id)))


def shown() -> ColumnElement[bool]:
    """The condition for rewards that cards show: those that points buy now."""
    return and_(Reward.active, Reward.listed, Reward.unit == POINTS, Reward.flexible.is_(False))


def name_in(reward: Reward, language: str) -> str:
    """Its name in a language, else as it was written."""
    return reward.texts.get(i18n.nearest(language)) or reward.name


def about_in(reward: Reward, language: str) -> str:
    """Its words in a language, else as they were written."""
    return reward.about_texts.get(i18n.nearest(language)) or reward.about


def totals(session: Session, reward_ids: Collection[int]) -> dict[int, Total]:
    """How often rewards were taken and not given back, and for how much."""
    query = (
        select(
            Taking.reward_id,
            func.count(),
            func.coalesce(func.sum(Taking.units), 0),
            func.coalesce(func.sum(Taking.value_minor), 0),
        )
        .where(Taking.reward_id.in_(reward_ids), Taking.state.in_(("taken", "waiting")))
        .group_by(Taking.reward_id)
    )
    return {
        row[0]: Total(times=row[1], units=int(row[2] or 0), value_minor=int(row[3] or 0))
        for row in session.execute(query)
    }


def turn_windows(session: Session, *, now: datetime, limit: int = 100) -> int:
    """Bring what has started onto the cards and take what is over off them; how many rewards it was.

    Each turns once, whoever asks how often: a condition on what it was decides.
    """
    turned = 0
    for reward in session.scalars(select(Reward).where(_due(now)).order_by(Reward.id).limit(limit)).all():
        listed = not reward.listed
        mine = update(Reward).where(Reward.id == reward.id, Reward.active, Reward.listed.is_(not listed))
        if rows_changed(session, mine.values(listed=listed)) == 1:
            turned += 1
            if reward.unit == POINTS and not reward.flexible:
                programmes.redesigned(session, session.get_one(Programme, reward.programme_id), now=now)
    return turned


def windows_due(session: Session, *, now: datetime) -> bool:
    """Whether some reward has started or is over, and its cards do not show it yet."""
    return session.scalar(select(Reward.id).where(_due(now)).limit(1)) is not None


def slots(session: Session, reward_id: int) -> list[Slot]:
    """The dates of an experience, soonest first."""
    return list(session.scalars(select(Slot).where(Slot.reward_id == reward_id).order_by(Slot.starts_at, Slot.id)))


def as_draft(reward: Reward) -> RewardDraft:
    """A reward as it could be asked for again."""
    values = {one.name: getattr(reward, one.name) for one in fields(RewardDraft)}
    return RewardDraft(**{**values, "points": reward.points or None, "unit": reward.unit or POINTS})


def _due(now: datetime) -> ColumnElement[bool]:
    inside = and_(
        or_(Reward.starts_at.is_(None), Reward.starts_at <= now), or_(Reward.ends_at.is_(None), Reward.ends_at > now)
    )
    return and_(Reward.active, or_(and_(inside, Reward.listed.is_(False)), and_(~inside, Reward.listed)))


def _columns(draft: RewardDraft) -> dict[str, Any]:
    values = {one.name: getattr(draft, one.name) for one in fields(draft)}
    free = draft.points is None
    return values | {
        "name": draft.name.strip(),
        "about": draft.about.strip(),
        "points": 0 if free else draft.points,
        "unit": "" if free else draft.unit,
        "texts": {language: text.strip() for language, text in draft.texts.items() if text.strip()},
        "about_texts": {language: text.strip() for language, text in draft.about_texts.items() if text.strip()},
        "stores": sorted(set(draft.stores)),
        "tiers": sorted(set(draft.tiers)),
    }


def _in_window(reward: Reward, now: datetime) -> bool:
    started = reward.starts_at is None or reward.starts_at <= now
    return started and (reward.ends_at is None or now < reward.ends_at)


def _is_shown(reward: Reward) -> bool:
    return reward.active and reward.listed and reward.unit == POINTS and not reward.flexible


def _face(reward: Reward) -> tuple[Any, ...]:
    """What cards show of it."""
    return reward.name, dict(reward.texts), reward.points


def _check(
    session: Session, programme: Programme, draft: RewardDraft, now: datetime, *, of: Reward | None = None
) -> None:
    errors = _word_problems(draft) | _price_problems(draft) | _number_problems(draft) | _window_problems(draft, now, of)
    for name, model, chosen in (("stores", Store, draft.stores), ("tiers", Tier, draft.tiers)):
        found = select(func.count()).select_from(model).where(model.id.in_(chosen), model.programme_id == programme.id)
        if chosen and session.scalar(found) != len(set(chosen)):
            errors[name] = "Choose from this programme's own."
    if of is not None and (draft.kind != of.kind or (draft.unit if draft.points is not None else "") != of.unit):
        errors["kind"] = "A reward stays of its kind and its unit; end it, and add another."
    if errors:
        raise Unprocessable("invalid_reward", " ".join(errors.values()), errors=errors)


def _word_problems(draft: RewardDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= LONGEST_NAME or not texts.is_showable(draft.name):
        errors["name"] = "A reward has a name of 1 to 100 characters."
    if len(draft.about) > LONGEST_ABOUT or not _is_plain(draft.about):
        errors["about"] = "The text has at most 500 characters, all of which can be shown."
    for name, words, longest in (
        ("texts", draft.texts, LONGEST_NAME), ("about_texts", draft.about_texts, LONGEST_ABOUT)
    ):  # fmt: skip
        for language, text in words.items():
            if len(text) > longest or not _is_plain(text):
                errors[f"{name}.{language}"] = Sentence("The text has at most %(most)s characters.", most=longest)
    if len(draft.needs_product) > LONGEST_NAME or not texts.is_showable(draft.needs_product):
        errors["needs_product"] = "A product has a code of at most 100 characters."
    return errors


def _price_problems(draft: RewardDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    if draft.kind not in KINDS:
        errors["kind"] = Sentence("A reward is one of %(kinds)s.", kinds=", ".join(KINDS))
    if draft.points is None and not draft.about.strip() and draft.needs_pieces is None:
        errors["points"] = "A reward costs a whole number of points above zero, or says its condition."
    if draft.points is not None and not 1 <= draft.points <= LARGEST_POINTS:
        errors["points"] = "A reward costs a whole number of points above zero."
    if draft.unit != POINTS and not draft.unit.startswith("voucher:"):
        errors["unit"] = "A reward costs points, or the vouchers of a stamp card."
    if draft.kind == "discount" and draft.value_minor is None:
        errors["value"] = "Say how much money a discount takes off."
    if draft.value_minor is not None and not 1 <= draft.value_minor <= LARGEST_MINOR:
        errors["value"] = "The value is an amount above zero."
    if draft.flexible and (draft.kind not in {"discount", "donation"} or draft.points is None):
        errors["flexible"] = "Only discounts and donations for points can be as large as the member likes."
    if draft.max_share is not None and (draft.kind != "discount" or not 1 <= draft.max_share <= 100):
        errors["max_share"] = "A discount may pay 1 to 100 percent of the basket."
    if draft.min_spend_minor is not None and not 1 <= draft.min_spend_minor <= LARGEST_MINOR:
        errors["min_spend"] = "The least basket is an amount above zero."
    return errors


def _number_problems(draft: RewardDraft) -> dict[str, str]:
    errors: dict[str, str] = {}
    for name in ("limit_per_member", "limit_per_member_day", "limit_total", "limit_per_day", "needs_pieces"):
        value = getattr(draft, name)
        if value is not None and not 1 <= value <= LARGEST_LIMIT:
            errors[name] = "A limit is a whole number above zero; leave it out for no limit."
    if draft.stock is not None and not 0 <= draft.stock <= LARGEST_LIMIT:
        errors["stock"] = "The stock is a whole number of pieces."
    if draft.no_show not in {"keep", "give_back"}:
        errors["no_show"] = "Of who does not come, the price is kept or given back."
    if not 0 <= draft.cancel_before_h <= 24 * 90:
        errors["cancel_before_h"] = "Members may cancel until 0 to 2160 hours before."
    if draft.goal_days is not None and not 1 <= draft.goal_days <= LONGEST_GOAL_DAYS:
        errors["goal_days"] = "Points that are saved for it are kept for 1 to 1098 days."
    return errors


def _window_problems(draft: RewardDraft, now: datetime, of: Reward | None) -> dict[str, str]:
    if draft.starts_at is not None and draft.ends_at is not None and draft.ends_at <= draft.starts_at:
        return {"ends_at": "The end comes after the start."}
    was = of.ends_at if of is not None else None
    if draft.ends_at is not None and draft.ends_at <= now and draft.ends_at != was:
        return {"ends_at": "This reward would be over already; choose an end in the future."}
    return {}


def _is_plain(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)
