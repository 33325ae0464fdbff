"""What the customer's pages show, ready to print: numbers, money and times in the reader's own way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal

from app import money
from app.cards.design import Design
from app.cards.models import Asset, Programme
from app.i18n import text
from app.wallets.view import CardView, OfferView

IN_APP_BROWSERS = {
    "Instagram": "Instagram",
    "FBAN": "Facebook",
    "FBAV": "Facebook",
    "musical_ly": "TikTok",
    "BytedanceWebview": "TikTok",
    "Snapchat": "Snapchat",
    "Line/": "LINE",
    "MicroMessenger": "WeChat",
    "Twitter": "X",
}


@dataclass(frozen=True, kw_only=True)
class ProgrammePage:
    """A programme as its public pages show it."""

    slug: str
    name: str
    logo: str
    large_logo: str
    look: str
    points_label: str
    benefit: str
    terms: str
    about: str
    website: str
    contact: str


@dataclass(frozen=True, kw_only=True)
class OfferLine:
    """An offer on the card's page. `cue`: that it ends today; one that is used up says nothing of the time left."""

    title: str
    body: str
    gives: str
    hours: str
    left: str
    until: str
    cue: str
    is_used: bool


@dataclass(frozen=True, kw_only=True)
class MessageLine:
    """What a campaign said last."""

    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class RewardLine:
    name: str
    points: str
    missing: str
    is_reached: bool
    share: int


@dataclass(frozen=True, kw_only=True)
class NextTier:
    """The next level, and how far the member has come from the last one."""

    name: str
    done: int
    total: int


def programme_page(programme: Programme, design: Design, assets: Mapping[str, Asset], language: str) -> ProgrammePage:
    """The programme in one language, with the addresses of its pictures and colours."""
    logo = assets.get("logo")
    return ProgrammePage(
        slug=programme.slug,
        name=programme.name,
        logo=f"/assets/small/{logo.sha256}.png" if logo else f"/assets/default/{programme.slug}-mark.svg",
        large_logo=f"/assets/{logo.sha256}.png" if logo else f"/assets/default/{programme.slug}-mark.svg",
        look=f"/assets/look/{programme.slug}.css?v={programme.design_version}",
        points_label=in_language(design.points_label, language, programme.language) or text(language, "Points"),
        benefit=in_language(design.benefit, language, programme.language) or _earning(programme, language),
        terms=in_language(design.terms, language, programme.language),
        about=in_language(design.about, language, programme.language),
        website=design.website,
        contact=design.contact,
    )


def in_language(texts: Mapping[str, str], language: str, fallback: str) -> str:
    """The text in *language*, else in the programme's own, else in any."""
    return texts.get(language) or texts.get(fallback) or next(iter(texts.values()), "")


def number(value: int, language: str) -> str:
    return str(format_decimal(value, locale=language))


def moment(at: datetime, language: str, zone: str) -> str:
    """A day and time in a zone, as people of that language write it."""
    return str(format_datetime(at, "d MMM y, HH:mm", tzinfo=ZoneInfo(zone), locale=language))


def offers(view: CardView, language: str) -> list[OfferLine]:
    """Those that can be used first."""
    return [_offer(one, view.as_of, language) for one in sorted(view.offers, key=lambda one: one.is_used_up)]


def message(view: CardView) -> MessageLine | None:
    """The message that stands on the card, if there is one."""
    if view.message is None:
        return None
    return MessageLine(title=view.message.title, body=view.message.body)


def rewards(view: CardView, language: str) -> list[RewardLine]:
    """What points buy, within reach first, the dearest of those first; then the nearest."""
    within = [one for one in view.programme.rewards if one.points <= view.balance]
    beyond = [one for one in view.programme.rewards if one.points > view.balance]
    return [
        RewardLine(
            name=one.name_in(language),
            points=number(one.points, language),
            missing=number(max(0, one.points - view.balance), language),
            is_reached=one.points <= view.balance,
            share=min(100, view.balance * 100 // one.points),
        )
        for one in [*reversed(within), *beyond]
    ]


def next_tier(view: CardView, language: str) -> NextTier | None:
    """What is still to be spent for the next tier; None at the top."""
    if view.next_tier is None:
        return None
    start = view.tier.threshold_minor if view.tier else 0
    return NextTier(
        name=view.next_tier.name_in(language),
        done=max(0, view.qualifying_minor - start),
        total=view.next_tier.threshold_minor - start,
    )


def in_app_browser(user_agent: str) -> str:
    """The name of the app whose built-in browser this is, or an empty string."""
    return next((name for sign, name in IN_APP_BROWSERS.items() if sign in user_agent), "")


def is_android(user_agent: str) -> bool:
    return "Android" in user_agent


def _earning(programme: Programme, language: str) -> str:
    amount = money.shown(programme.earn_per_minor, programme.currency, language)
    points = number(programme.earn_points, language)
    if programme.earn_points == 1:
        return text(language, "Collect one point for every %(amount)s.", amount=amount)
    return text(language, "Collect %(points)s points for every %(amount)s.", points=points, amount=amount)


def _offer(offer: OfferView, now: datetime, language: str) -> OfferLine:
    left = format_timedelta(offer.ends_at - now, threshold=1.2, locale=language)
    return OfferLine(
        title=offer.title_in(language),
        body=offer.body_in(language),
        gives=offer.gives_in(language),
        hours=offer.hours_in(language),
        left="" if offer.is_used_up else text(language, "Ends in %(time)s", time=left),
        until=moment(offer.ends_at, language, offer.timezone),
        cue=text(language, "Last day") if offer.is_last_day(now) and not offer.is_used_up else "",
        is_used=offer.is_used_up,
    )
