"""Refusals with what the cashier needs to explain them: when and where something was used, when it ended."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from flask_babel import gettext
from sqlalchemy.orm import Session

from app.cards.models import Card
from app.counter.till_view import OfferAtTill, RewardAtTill
from app.errors import AppError
from app.i18n import translate
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import Use
from app.till import queries
from app.till.desk import Desk
from app.till.rules import picked_in
from app.till.words import offer_refusal, sentence

TOLD_OF_OFFERS = ("already_used", "limit_reached", "ended", "not_started")


class Refusals:
    """Sentences for one till at one moment."""

    def __init__(self, session: Session, desk: Desk, *, language: str, now: datetime) -> None:
        self._session, self._desk, self._language, self._now = session, desk, language, now
        self._zone = ZoneInfo(desk.timezone)

    def of_offer(self, one: OfferAtTill) -> str:
        """Why an offer on the card cannot be used now; empty if it can."""
        if one.refusal is None:
            return ""
        if one.refusal.code in TOLD_OF_OFFERS:
            return self._of(one.refusal.code, one.offer, one.use)
        return translate(one.refusal.sentence)

    def of_reward(self, one: RewardAtTill) -> str:
        """Why a reward cannot be had now; empty if it can."""
        return sentence(one.refusal, self._desk.programme.currency) if one.refusal else ""

    def of_problem(self, problem: AppError, card: Card | None, typed: Mapping[str, str]) -> str:
        """Why an action was refused."""
        names = [typed["offer"]] if typed.get("offer") else _of_sale(problem, typed)
        if problem.code in TOLD_OF_OFFERS and names:
            wanted = queries.offers_named(names)
            offer = self._session.scalars(wanted).one_or_none()
            if offer is not None and offer.programme_id == self._desk.programme.id:
                use = offers.uses_by(self._session, card.id, [offer]).get(offer.id) if card else None
                return self._of(problem.code, offer, use)
        return sentence(problem, self._desk.programme.currency)

    def _of(self, code: str, offer: Offer, use: Use | None) -> str:
        if code == "already_used" and use is not None:
            return self._used(use)
        if code == "limit_reached" and use is not None:
            return str(gettext("Used %(times)s times: that is all this card may.", times=use.count))
        if code == "ended" and offer.state != "cancelled":
            return str(gettext("Ended %(when)s.", when=self._when(offer.ends_at)))
        if code == "not_started":
            return str(gettext("Starts %(when)s.", when=self._when(offer.starts_at)))
        return offer_refusal(code)

    def _used(self, use: Use) -> str:
        store, when = self._stores.get(use.store_id or 0), self._when(use.last_at)
        if store is None:
            return str(gettext("Used %(when)s.", when=when))
        return str(gettext("Used %(when)s at %(store)s.", when=when, store=store))

    def _when(self, moment: datetime) -> str:
        """The time today, yesterday by that word, else day and time."""
        local, today = moment.astimezone(self._zone), self._now.astimezone(self._zone).date()
        time = format_time(local, "short", tzinfo=self._zone, locale=self._language)
        days = (today - local.date()).days
        if not days:
            return str(time)
        if days == 1:
            return str(gettext("yesterday"))
        if days == -1:
            return str(gettext("tomorrow at %(time)s", time=time))
        day = format_date(local, "d MMM", locale=self._language)
        return f"{day}, {time}" if days < 0 else str(day)

    @cached_property
    def _stores(self) -> dict[int, str]:
        return {row[0]: row[1] for row in self._session.execute(queries.store_names(self._desk.programme.id))}


def _of_sale(problem: AppError, typed: Mapping[str, str]) -> list[str]:
    """Which of the offers that were ticked beside a purchase a refusal is about."""
    picked = picked_in(typed)
    places = [name.removeprefix("offers.") for name in problem.errors if name.startswith("offers.")]
    return [picked[int(at)] for at in places if at.isdigit() and int(at) < len(picked)][:1]
