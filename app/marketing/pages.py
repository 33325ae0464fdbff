"""Offers as marketing reads them: sentences, figures and local times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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
from app.marketing.forms import EVERYBODY
from app.marketing.results import Results
from app.offers import service as offers
from app.offers.models import Offer
from app.offers.service import OfferDraft
from app.settings import Settings

TONES = {"live": "good", "scheduled": "", "ended": "", "cancelled": "warn"}


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
    """Live first, then what is coming, then what is over."""
    rows = [_row(offer, figures.get(offer.id), now, language) for offer in found]
    titles = (
        (gettext("Live now"), {"live"}),
        (gettext("Coming"), {"scheduled"}),
        (gettext("Over"), {"ended", "cancelled"}),
    )
    return [
        (title, [row for row, offer in zip(rows, found, strict=True) if offer.state in states])
        for title, states in titles
    ]


def offer_page(offer: Offer, figures: Results, *, now: datetime, language: str) -> OfferRow:
    """One offer with its figures."""
    return _row(offer, figures, now, language)


def first_values(programme: Programme, now: datetime) -> dict[str, str]:
    """What the empty form proposes: from the next full hour until the end of tomorrow, once for each card."""
    local = localtime.wall_clock(now, programme.timezone).replace(second=0, microsecond=0)
    start = local.replace(minute=0) + timedelta(hours=1)
    end = (local + timedelta(days=2)).replace(hour=0, minute=0)
    return {
        "starts_at": start.isoformat(timespec="minutes"),
        "ends_at": end.isoformat(timespec="minutes"),
        "timezone": programme.timezone,
        "audience": EVERYBODY,
        "announce": "yes",
        "limit_per_card": "1",
    }


def draft_of(offer: Offer) -> OfferDraft:
    """A kept offer as a draft, for drawing it."""
    return OfferDraft(
        programme=offer.programme,
        title=offer.title,
        body=offer.body,
        texts=offer.texts,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        timezone=offer.timezone,
        tier=offer.tier,
        announce=offer.announce,
        limit_per_card=offer.limit_per_card,
        limit_total=offer.limit_total,
    )


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
    names = {
        "live": gettext("Live"),
        "scheduled": gettext("Scheduled"),
        "ended": gettext("Ended"),
        "cancelled": gettext("Cancelled"),
    }
    title, body = offers.words(offer, language)
    return OfferRow(
        public_id=offer.public_id,
        title=title,
        body=body,
        state=names[offer.state],
        tone=TONES[offer.state],
        who=(offer.tier.texts.get(language) or offer.tier.name) if offer.tier else gettext("Everybody"),
        when=f"{_clock(offer.starts_at, offer, language)} – {_clock(offer.ends_at, offer, language)}",
        left=_left(offer, now, language),
        results=figures,
    )


def _left(offer: Offer, now: datetime, language: str) -> str:
    if offer.state == "live":
        return str(gettext("%(time)s left", time=format_timedelta(offer.ends_at - now, locale=language)))
    if offer.state == "scheduled" and offer.starts_at > now:
        return str(gettext("starts in %(time)s", time=format_timedelta(offer.starts_at - now, locale=language)))
    return ""


def _clock(at: datetime, offer: Offer, language: str) -> str:
    return str(format_datetime(at, "d MMM y HH:mm", tzinfo=ZoneInfo(offer.timezone), locale=language))
