"""What a card says of its holder in sentences: values of its own that are written in the member's language.

Each note has a key that never changes, so that a phone finds its old and its new text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from babel.dates import format_date

from app import money
from app.i18n import nearest, text
from app.tiers.rules import Metric
from app.wallets import collected
from app.wallets.collected import Collected, Joined
from app.wallets.programme import ProgrammeView, RewardView, TierView

NEAR = "next"
EXPIRY = "expiry"
STAMPS = "stamps"


@dataclass(frozen=True, kw_only=True)
class Note:
    """A label and a text. Those with the keys `next` and `stamps` stand on the front where there is room, all others
    behind."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Expiring:
    """Points that can be spent on `last_on` for the last time; `is_near`: within a week."""

    units: int
    last_on: date
    is_near: bool


class Level(Protocol):
    """What is known of a card's tier; see `view.CardView`."""

    @property
    def language(self) -> str: ...
    @property
    def programme(self) -> ProgrammeView: ...
    @property
    def tier(self) -> TierView | None: ...
    @property
    def next_tier(self) -> TierView | None: ...
    @property
    def to_next_tier_minor(self) -> int: ...
    @property
    def valid_to(self) -> date | None: ...
    @property
    def earned_tier(self) -> TierView | None: ...
    @property
    def to_keep(self) -> int | None: ...
    @property
    def keep_by(self) -> date | None: ...
    @property
    def next_by(self) -> date | None: ...
    @property
    def goal(self) -> RewardView | None: ...
    @property
    def balance(self) -> int: ...
    @property
    def expiring(self) -> Expiring | None: ...
    @property
    def stamps(self) -> tuple[Collected, ...]: ...
    @property
    def clubs(self) -> tuple[Joined, ...]: ...
    @property
    def today(self) -> date: ...


def of(card: Level, language: str) -> tuple[Note, ...]:
    """The notes of a card that is valid."""
    return tuple(_notes(card, language))


def level_lines(card: Level, language: str) -> list[str]:
    """Where the member stands, in sentences: the tier and its last day, what keeps it, what leads to the next."""
    return list(_lines(card, language))


def valid_to(card: Level, language: str) -> str:
    """The last day of the tier, or nothing if it has none."""
    return day(card.valid_to, card.today, language) if card.valid_to else ""


def amount(value: int, programme: ProgrammeView, language: str) -> str:
    """So much of what the programme counts, as people of that language read it."""
    metric = programme.policy.metric
    if metric is Metric.SPEND:
        return money.brief(value, programme.currency, nearest(language))
    if metric is Metric.VISITS:
        return text(language, "1 visit") if value == 1 else text(language, "%(count)s visits", count=value)
    return text(language, "%(count)s points", count=money.grouped(value, nearest(language)))


def saved(balance: int, goal: RewardView, language: str) -> str:
    """How far it is to what is saved for: 640/1,000; never more than all of it."""
    have, need = (money.grouped(one, nearest(language)) for one in (min(balance, goal.points), goal.points))
    return f"{have}/{need}"


def day(on: date, today: date, language: str) -> str:
    """31 Aug, with its year if that is not this one."""
    return _day(on, on.year != today.year, nearest(language))


@lru_cache(maxsize=512)
def _day(on: date, with_year: bool, locale: str) -> str:
    return str(format_date(on, "d MMM y" if with_year else "d MMM", locale=locale))


def expiry_line(card: Level, language: str) -> str:
    """How many points are lost after which day, or nothing."""
    if card.expiring is None:
        return ""
    units = money.grouped(card.expiring.units, nearest(language))
    name = card.programme.design.points_label.get(language)
    what = f"{units} {name}" if name else text(language, "%(count)s points", count=units)
    until = day(card.expiring.last_on, card.today, language)
    if card.expiring.is_near:
        return text(language, "Last days: %(amount)s expire after %(day)s", amount=what, day=until)
    return text(language, "%(amount)s expire after %(day)s", amount=what, day=until)


def _notes(card: Level, language: str) -> Iterator[Note]:
    yield from _stamps(card, language)
    if line := expiry_line(card, language):
        yield Note(key=EXPIRY, label=text(language, "Expiring points"), text=line)
    if near := _near(card, language):
        yield near
    if card.goal is not None:
        label = text(language, "Saving for %(reward)s", reward=card.goal.name_in(language))
        yield Note(key="goal", label=label, text=saved(card.balance, card.goal, language))
    if lines := level_lines(card, language):
        yield Note(key="level", label=text(language, "Level"), text="\n".join(lines))


def _stamps(card: Level, language: str) -> Iterator[Note]:
    if front := collected.front_line(card.stamps, language):
        yield Note(key=STAMPS, label=front[0], text=front[1])
    if lines := collected.stamp_lines(card.stamps, language):
        yield Note(key="stamp-cards", label=text(language, "Stamp cards"), text="\n\n".join(lines))
    for one in card.clubs[: collected.CLUBS_SHOWN]:
        until = text(language, "Until %(end)s", end=day(one.last_on, card.today, language))
        words = "\n".join(part for part in (until, one.club.benefits_in(language)) if part)
        yield Note(key=f"club-{one.club.id}", label=one.club.name_in(language), text=words)


def _near(card: Level, language: str) -> Note | None:
    """What is nearer: to keep the tier, or to reach the next."""
    if card.earned_tier and card.to_keep and not (card.next_tier and card.to_next_tier_minor < card.to_keep):
        label = text(language, "To keep %(tier)s", tier=card.earned_tier.name_in(language))
        return Note(key=NEAR, label=label, text=_by(card, card.to_keep, card.keep_by, language))
    if card.next_tier:
        label = text(language, "To %(tier)s", tier=card.next_tier.name_in(language))
        return Note(key=NEAR, label=label, text=_by(card, card.to_next_tier_minor, card.next_by, language))
    return None


def _by(card: Level, value: int, by: date | None, language: str) -> str:
    missing = amount(value, card.programme, language)
    return text(language, "%(amount)s by %(day)s", amount=missing, day=day(by, card.today, language)) if by else missing


def _lines(card: Level, language: str) -> Iterator[str]:
    if card.tier and card.valid_to:
        name = card.tier.name_in(language)
        yield text(language, "%(tier)s, valid to %(day)s", tier=name, day=valid_to(card, language))
    if card.earned_tier and card.to_keep and card.keep_by:
        yield text(
            language,
            "%(amount)s to keep %(tier)s by %(day)s",
            amount=amount(card.to_keep, card.programme, language),
            tier=card.earned_tier.name_in(language),
            day=day(card.keep_by, card.today, language),
        )
    if card.next_tier:
        said = {
            "amount": amount(card.to_next_tier_minor, card.programme, language),
            "tier": card.next_tier.name_in(language),
        }
        if card.next_by:
            by = day(card.next_by, card.today, language)
            yield text(language, "%(amount)s to %(tier)s by %(day)s", **said, day=by)
        else:
            yield text(language, "%(amount)s to %(tier)s", **said)
