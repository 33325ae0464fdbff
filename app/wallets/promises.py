"""Offers as cards show them: what each gives, when, to whom, and what one card has of it.

What all cards share of an offer is an `OfferView`; what is the card's own is `Own`, read from texts that come with the
card's row, because every fetch of a phone asks for it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_day_names
from babel.numbers import format_decimal
from sqlalchemy import BigInteger, Column, ColumnElement, Text, case, cast, or_, select, type_coerce

from app import money
from app.db import table_of
from app.earning import windows
from app.earning.windows import Window
from app.i18n import nearest, text
from app.offers import hours, terms
from app.offers.audience import whom
from app.offers.models import Offer, OfferGrant, Redemption
from app.offers.terms import Terms
from app.segments.models import SegmentMember
from app.wallets.collected import pairs, together

LAST_DAY = timedelta(hours=24)
NAMES_MOST = 3
_OFFER, _GRANT, _USE, _MEMBER = (table_of(one) for one in (Offer, OfferGrant, Redemption, SegmentMember))


@dataclass(frozen=True, kw_only=True)
class OfferView:
    """An offer; `texts` is {language: {"title": …, "body": …}}, `title` and `body` stand where a language lacks.

    `tiers`: none means all. `audience`: all, segment (whoever is in `segment_id`) or targeted (whoever was granted it).
    `withholds_at`: since when it is kept from some of them.
    `uses`: how often the card that it stands on has used it; there `starts_at` and `ends_at` are the card's own.
    """

    id: int
    public_id: str
    title: str
    body: str
    texts: Mapping[str, Mapping[str, str]]
    starts_at: datetime
    ends_at: datetime
    timezone: str
    announce: bool
    kind: str = "text"
    terms: Terms = field(default_factory=lambda: Terms(kind="text"))
    currency: str = ""
    windows: tuple[Window, ...] = ()
    limit_per_card: int | None = None
    needs_code: bool = False
    tiers: frozenset[int] = frozenset()
    audience: str = "all"
    segment_id: int | None = None
    withholds_at: datetime | None = None
    uses: int = 0

    @property
    def is_for_some(self) -> bool:
        """Whether it depends on more than a card's tier who has it; such an offer never stands on Google's class."""
        return self.audience != "all" or self.withholds_at is not None

    @property
    def was_told_to_all(self) -> bool:
        """Whether its start was told to everybody at once, before some were held back."""
        return self.audience == "all" and self.withholds_at is not None and self.withholds_at > self.starts_at

    @property
    def is_told(self) -> bool:
        """Whether its start is news on the cards that it is for; a granted one is told of by whoever grants it."""
        return self.announce and self.audience != "targeted"

    @property
    def is_used_up(self) -> bool:
        return self.limit_per_card is not None and self.uses >= self.limit_per_card

    def is_last_day(self, now: datetime) -> bool:
        """Whether its last 24 hours run; one that lasts no longer is not warned of."""
        return now >= self.ends_at - LAST_DAY > self.starts_at

    def title_in(self, language: str) -> str:
        return self.texts.get(language, {}).get("title") or self.title

    def body_in(self, language: str) -> str:
        return self.texts.get(language, {}).get("body") or self.body

    def gives_in(self, language: str) -> str:
        """`20% off`, `2× points`; nothing for one that is words alone."""
        return _gives(self.terms, self.currency, language)

    @property
    def shown_end(self) -> datetime:
        """The end as the shop's wall clock says it; an end at midnight belongs to the day before."""
        local = self.ends_at.astimezone(ZoneInfo(self.timezone))
        midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
        return local - timedelta(minutes=1) if midnight else local.replace(microsecond=0)

    def until_in(self, language: str) -> str:
        end, locale = self.shown_end, nearest(language)
        return f"{format_date(end, 'medium', locale=locale)}, {format_time(end, 'short', locale=locale)}"

    def hours_in(self, language: str) -> str:
        """`Mon–Fri, 15:00–17:00`; nothing where it holds at all hours."""
        return "; ".join(words for one in self.windows if (words := _hours(one, nearest(language))))


@dataclass(frozen=True, kw_only=True)
class Own:
    """What decides which offers stand on a card: its tier, kept segments, grants (from when until when), and uses.

    Of an offer that is kept from the card, the grant has no time at all.
    """

    tier_id: int | None = None
    segments: frozenset[int] = frozenset()
    grants: Mapping[int, tuple[datetime, datetime]] = field(default_factory=dict)
    uses: Mapping[int, int] = field(default_factory=dict)

    def has(self, tiers: Collection[int], segment_id: int | None) -> bool:
        """Whether the card is of these tiers (none: all), and in that segment, if one is named."""
        return (not tiers or self.tier_id in tiers) and (segment_id is None or segment_id in self.segments)


NOTHING = Own()


@dataclass(frozen=True, kw_only=True)
class Gone:
    """An announcement that is over: whom it was for, and when it began."""

    tiers: frozenset[int]
    segment_id: int | None
    starts_at: datetime


def offer_view(offer: Offer, currency: str = "") -> OfferView:
    """An offer as plain values, also one that is not live yet."""
    return OfferView(
        id=offer.id,
        public_id=offer.public_id,
        title=offer.title,
        body=offer.body,
        texts=offer.texts,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        timezone=offer.timezone,
        announce=offer.announce,
        kind=offer.kind,
        terms=terms.of(offer.kind, offer.terms, currency) if currency else Terms(kind=offer.kind),
        currency=currency,
        windows=tuple(hours.kept(offer.windows)),
        limit_per_card=offer.limit_per_card,
        needs_code=offer.needs_code,
        tiers=frozenset(whom(offer).tiers),
        audience=offer.audience,
        segment_id=offer.segment_id if offer.audience == "segment" else None,
        withholds_at=offer.withholds_at,
    )


def texts_of(
    card_id: ColumnElement[int], programme_id: Column[int]
) -> tuple[ColumnElement[str], ColumnElement[str], ColumnElement[str]]:
    """Columns for a statement that reads a card: its kept segments, its open grants, and its uses of live offers."""
    member, grant, use = _MEMBER.c, _GRANT.c, _USE.c
    segments = select(together(cast(member.segment_id, Text))).where(member.card_id == card_id)
    span = case((grant.withheld, "0-0"), else_=_ms(grant.starts_at) + "-" + _ms(grant.ends_at))
    grants = select(together(cast(grant.offer_id, Text) + "=" + span)).where(
        grant.card_id == card_id, or_(grant.closed.is_(False), grant.withheld.is_(True))
    )
    live = select(_OFFER.c.id).where(_OFFER.c.programme_id == programme_id, _OFFER.c.state == "live")
    live = live.correlate(programme_id.table)
    uses = select(together(cast(use.offer_id, Text))).where(
        use.card_id == card_id, use.reversed_at.is_(None), use.offer_id.in_(live)
    )
    return segments.scalar_subquery(), grants.scalar_subquery(), uses.scalar_subquery()


def own_of(tier_id: int | None, segments: str | None, grants: str | None, uses: str | None) -> Own:
    """A card's own, from the texts of `texts_of`."""
    if not (segments or grants or uses):
        return Own(tier_id=tier_id)
    used = [int(one) for one in (uses or "").split()]
    return Own(
        tier_id=tier_id,
        segments=frozenset(int(one) for one in (segments or "").split()),
        grants={int(offer): _span(span) for offer, span in pairs(grants)},
        uses={one: used.count(one) for one in used},
    )


def on_card(offer: OfferView, own: Own, now: datetime) -> OfferView | None:
    """A live offer as it stands on a card at *now*, or None; one whose end has come is off, closed or not."""
    if not own.has(offer.tiers, offer.segment_id):
        return None
    starts, ends = offer.starts_at, offer.ends_at
    if offer.audience == "targeted" and offer.id not in own.grants:
        return None
    if offer.id in own.grants:
        first, last = own.grants[offer.id]
        starts, ends = max(starts, first), min(ends, last)
    if not starts <= now < ends:
        return None
    uses = own.uses.get(offer.id, 0)
    if uses or (starts, ends) != (offer.starts_at, offer.ends_at):
        return replace(offer, starts_at=starts, ends_at=ends, uses=uses)
    return offer


def _ms(column: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(type_coerce(column, BigInteger), Text)


def _span(told: str) -> tuple[datetime, datetime]:
    first, _, last = told.partition("-")
    return datetime.fromtimestamp(int(first) / 1000, UTC), datetime.fromtimestamp(int(last) / 1000, UTC)


def _gives(found: Terms, currency: str, language: str) -> str:
    said = _what(found, currency, language)
    if not said:
        return ""
    names = [*sorted(found.only.products), *sorted(found.only.categories)]
    if names:
        listed = ", ".join(names[:NAMES_MOST]) + (" …" if len(names) > NAMES_MOST else "")
        said = text(language, "%(what)s: %(names)s", what=said, names=listed)
    if found.minimum_minor:
        least = money.brief(found.minimum_minor, currency, nearest(language))
        said = text(language, "%(what)s, from %(amount)s", what=said, amount=least)
    if found.at_most_minor:
        most = money.brief(found.at_most_minor, currency, nearest(language))
        said = text(language, "%(what)s, at most %(amount)s", what=said, amount=most)
    return said


def _what(found: Terms, currency: str, language: str) -> str:
    locale = nearest(language)
    percent, is_free = found.percent * 100, found.kind == "product" and found.percent == 1
    if is_free:
        return text(language, "%(count)s free", count=found.pieces)
    said = {
        "percent": lambda: text(language, "%(percent)s%% off", percent=_decimal(percent, locale)),
        "product": lambda: text(language, "%(percent)s%% off", percent=_decimal(percent, locale)),
        "amount": lambda: text(language, "%(amount)s off", amount=money.brief(found.amount_minor, currency, locale)),
        "multiplier": lambda: text(language, "%(factor)s× points", factor=_decimal(found.factor, locale)),
        "bonus": lambda: text(language, "+%(count)s points", count=money.grouped(found.points, locale)),
        "gift": lambda: text(language, "Gift: %(name)s", name=found.gift) if found.gift else "",
    }
    return said[found.kind]() if found.kind in said else ""


def _decimal(value: Fraction, locale: str) -> str:
    """A fraction with two decimals at most, with the reader's decimal mark."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(format_decimal(round(exact, 2), locale=locale))


def _hours(window: Window, locale: str) -> str:
    days = "" if len(window.weekdays) == len(windows.WEEKDAYS) else _days(window.weekdays, locale)
    clock = "" if window.start == window.end else f"{_clock(window.start, locale)}–{_clock(window.end, locale)}"
    return ", ".join(part for part in (days, clock, _dates(window, locale)) if part)


def _days(weekdays: Collection[int], locale: str) -> str:
    """`Mon–Fri`, `Mon, Wed`: three days or more in a row are written as a span."""
    names = get_day_names("abbreviated", locale=locale)
    runs: list[list[int]] = []
    for day in sorted(weekdays):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    said = []
    for run in runs:
        spoken = [str(names[day - 1]) for day in run]
        said.append(f"{spoken[0]}–{spoken[-1]}" if len(run) > 2 else ", ".join(spoken))
    return ", ".join(said)


def _clock(at: time, locale: str) -> str:
    return str(format_time(at, "short", locale=locale)).replace("\u202f", " ")


def _dates(window: Window, locale: str) -> str:
    first, last = (_day(one, locale) for one in (window.first_on, window.last_on))
    if first and last:
        return first if first == last else f"{first} – {last}"
    return f"{first} –" if first else f"– {last}" if last else ""


def _day(on: date | None, locale: str) -> str:
    return str(format_date(on, "d MMM", locale=locale)) if on else ""
