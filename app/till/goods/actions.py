"""Codes that are used, goods that are handed over, and goals: each once for each key."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.counter import couponing, visiting
from app.coupons import service as coupons
from app.coupons.service import Found
from app.errors import AppError, NotFound
from app.rewards import catalogue
from app.rewards import service as rewards
from app.rewards.rules import Wish
from app.till.desk import Desk
from app.till.finding import held_at
from app.till.goods.forms import CodeForm, CollectForm, GoalForm
from app.till.repeats import once


def usable_code(session: Session, desk: Desk, code: str, *, now: datetime) -> Found:
    """A code that can be used at this till now.

    Raises: as `coupons.service.find` and `check`, with the sentence as `errors["code"]`: it speaks of the code, where
    the same refusal of a card or of an offer speaks of those.
    """
    try:
        found = coupons.find(session, desk.programme.id, code)
        coupons.check(session, found, store_id=desk.store.id if desk.store else None, now=now)
    except AppError as refusal:
        raise of_code(refusal) from refusal
    return found


def of_code(refusal: AppError) -> AppError:
    """The same refusal, said beside the field of a code and in its own words."""
    return _about("code", refusal)


def _about(what: str, refusal: AppError) -> AppError:
    told = type(refusal)
    return told(refusal.code, refusal.public, errors={what: refusal.public}, retry_after_s=refusal.retry_after_s)


def no_code() -> NotFound:
    """What was typed for a code is a card or a receipt."""
    text = "There is no such code. Check it for a typing mistake."
    return NotFound("unknown_code", text, errors={"code": text})


def use_code(session: Session, desk: Desk, serial: str, form: CodeForm, *, now: datetime) -> str:
    """Use a code for a card, and return the entry's id.

    Raises: as `usable_code` and `counter.couponing.redeem_code`.
    """

    def work() -> str:
        card = held_at(session, desk, serial)
        found = usable_code(session, desk, form.code, now=now)
        wish = Wish(basket_minor=form.basket)
        used = couponing.redeem_code(session, card, found, by=desk.actor, now=now, store=desk.store, wish=wish)
        return used.entry.id

    return once(session, desk, form.key, f"code {serial} {form.code}", work, now=now)


def collect(session: Session, desk: Desk, serial: str, form: CollectForm, *, now: datetime) -> str:
    """Hand over what the card has taken before, and return the booking's id.

    Raises: NotFound `unknown_booking`, also for another card's; as `counter.visiting.collect`.
    """

    def work() -> str:
        card = held_at(session, desk, serial)
        if rewards.taking_by_public_id(session, form.booking).card_id != card.id:
            raise NotFound("unknown_booking", "There is no such booking.")
        try:
            return visiting.collect(session, form.booking, store=desk.store, now=now).public_id
        except AppError as refusal:
            raise _about("booking", refusal) from refusal

    return once(session, desk, form.key, f"collect {serial} {form.booking}", work, now=now)


def choose_goal(session: Session, desk: Desk, serial: str, form: GoalForm, *, now: datetime) -> str:
    """Let the card save for a reward, or for nothing in particular; return the reward's id, empty for none.

    Raises: NotFound `unknown_reward`; as `counter.visiting.choose_goal`.
    """

    def work() -> str:
        card = held_at(session, desk, serial)
        if form.reward is None:
            visiting.drop_goal(session, card, now=now)
        else:
            reward = catalogue.by_public_id(session, desk.programme.id, form.reward)
            visiting.choose_goal(session, card, reward, by=desk.actor, now=now)
        return form.reward or "none"

    return once(session, desk, form.key, f"goal {serial} {form.reward}", work, now=now)
