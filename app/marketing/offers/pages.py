"""Offers as marketing reads them: sentences, figures and local times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal
from flask_babel import gettext
from sqlalchemy.orm import Session

from app import localtime
from app.cards import expansion
from app.cards.expansion import Progress
from app.cards.models import Expansion, Programme
from app.delivery import reach
from app.i18n import page_language
from app.marketing.offers import words
from app.marketing.offers.forms import EVERYBODY
from app.marketing.offers.results import Results
from app.offers import service as offers
from app.offers.models import Offer
from app.settings import Settings

GROUPS = (("live", "paused"), ("draft", "approved", "scheduled"), ("ended", "cancelled"))


@dataclass(frozen=True, kw_only=True)
class OfferRow:
    """A line of the list."""

    public_id: str
    title: str
    body: str
    state: str
    tone: str
    who: str
    when: str
    left: str
    results: Results | None


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """A bulk change of an offer that is on its way, and how long it still takes in words ("" if unknown)."""

    offer_id: int | None
    now: Progress
    left: str


def groups(
    found: Sequence[Offer], figures: Mapping[int, Results], *, now: datetime, language: str
) -> list[tuple[str, list[OfferRow]]]:
    """Live first, then what is coming, then what is over; what was put away is not listed."""
    rows = [_row(offer, figures.get(offer.id), now, language) for offer in found]
    titles = (gettext("Live now"), gettext("Coming"), gettext("Over"))
    return [
        (title, [row for row, offer in zip(rows, found, strict=True) if offer.state in states])
        for title, states in zip(titles, GROUPS, strict=True)
    ]


def offer_page(offer: Offer, figures: Results, *, now: datetime, language: str) -> OfferRow:
    """One offer with its figures."""
    return _row(offer, figures, now, language)


def first_values(programme: Programme, now: datetime, on: date) -> dict[str, str]:
    """What the empty form proposes: until the end of the day after *on*, once for each card.

    It starts with the next full hour, or with *on* if that is still to come.
    """
    local = localtime.wall_clock(now, programme.timezone).replace(minute=0, second=0, microsecond=0)
    midnight = local.replace(year=on.year, month=on.month, day=on.day, hour=0)
    start = midnight if on > local.date() else local + timedelta(hours=1)
    end = max(midnight, local.replace(hour=0)) + timedelta(days=2)
    return {
        "starts_at": start.isoformat(timespec="minutes"),
        "ends_at": end.isoformat(timespec="minutes"),
        "timezone": programme.timezone,
        "audience": EVERYBODY,
        "announce": "yes",
        "limit_per_card": "1",
        "kind": "text",
        "combines": "best",
    }


def changes(session: Session, found: Sequence[Expansion], settings: Settings, now: datetime) -> list[ChangeRow]:
    """Bulk changes as they stand now."""
    rows = []
    for one in found:
        progress = expansion.progress(session, one, now=now)
        left_s = reach.seconds_left(session, progress, settings)
        rows.append(ChangeRow(offer_id=one.offer_id, now=progress, left="" if left_s is None else duration(left_s)))
    return rows


def duration(seconds: int) -> str:
    """`3 hours`, in the reader's language."""
    return str(format_timedelta(timedelta(seconds=seconds), locale=page_language()))


def number(value: int) -> str:
    return str(format_decimal(value, locale=page_language()))


def _row(offer: Offer, figures: Results | None, now: datetime, language: str) -> OfferRow:
    title, body = offers.words(offer, language)
    return OfferRow(
        public_id=offer.public_id,
        title=title,
        body=body,
        state=words.state(offer.state),
        tone=words.TONES.get(offer.state, ""),
        who=_who(offer, language),
        when=f"{_clock(offer.starts_at, offer, language)} – {_clock(offer.ends_at, offer, language)}",
        left=_left(offer, now, language),
        results=figures,
    )


def _who(offer: Offer, language: str) -> str:
    if offer.audience == "targeted":
        return str(gettext("Whom a campaign gives it"))
    if offer.audience == "segment":
        return str(gettext("A segment"))
    names = [one.texts.get(language) or one.name for one in offer.programme.tiers if one.id in set(offer.tiers)]
    return ", ".join(names) or str(gettext("Everybody"))


def _left(offer: Offer, now: datetime, language: str) -> str:
    if offer.state == "live":
        return str(gettext("%(time)s left", time=format_timedelta(offer.ends_at - now, locale=language)))
    if offer.state == "scheduled" and offer.starts_at > now:
        return str(gettext("starts in %(time)s", time=format_timedelta(offer.starts_at - now, locale=language)))
    return ""


def _clock(at: datetime, offer: Offer, language: str) -> str:
    return str(format_datetime(at, "d MMM y HH:mm", tzinfo=ZoneInfo(offer.timezone), locale=language))
