"""What a card says of its holder's stamps and clubs."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Text, bindparam, cast, func, select, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app import localtime
from app.clubs.models import Club, ClubMembership
from app.db import table_of
from app.i18n import nearest, text
from app.ledger.models import Account
from app.stamps import rules
from app.stamps.models import StampCard

FRONT_DOTS = 5  # more do not fit into half a row of the front
STAMP_CARDS_SHOWN, CLUBS_SHOWN = 3, 3
_IDS: BindParameter[Sequence[int]] = bindparam("ids", expanding=True)
_STAMP_CARDS = select(StampCard).where(StampCard.programme_id.in_(_IDS)).order_by(StampCard.id.desc())
_CLUBS = select(Club).where(Club.programme_id.in_(_IDS)).order_by(Club.id)
_ACCOUNT, _MEMBERSHIP = table_of(Account).alias("collected"), table_of(ClubMembership)
NAMES = {"sqlite": "group_concat", "postgresql": "string_agg"}


class together(FunctionElement[str]):
    """The texts of many rows as one, with a space between them.

    SQLAlchemy's own for both databases writes its separator at the last moment, which a `Lookup` has left behind.
    """

    name = "together"
    type = Text()
    inherit_cache = True


@compiles(together)
def _written(element: together, compiler: SQLCompiler, **options: Any) -> str:
    return f"{NAMES[compiler.dialect.name]}({compiler.process(element.clauses, **options)}, ' ')"


@dataclass(frozen=True, kw_only=True)
class StampCardView:
    """A stamp card of a programme. One that has ended stands on the cards that have a reward of it left."""

    public_id: str
    name: str
    reward: str
    texts: Mapping[str, Mapping[str, str]]
    size: int
    is_live: bool

    def name_in(self, language: str) -> str:
        return self.texts.get(nearest(language), {}).get("name") or self.name

    def reward_in(self, language: str) -> str:
        return self.texts.get(nearest(language), {}).get("reward") or self.reward


@dataclass(frozen=True, kw_only=True)
class ClubView:
    """A club of a programme."""

    id: int
    name: str
    benefits: str
    texts: Mapping[str, Mapping[str, str]]

    def name_in(self, language: str) -> str:
        return self.texts.get(nearest(language), {}).get("name") or self.name

    def benefits_in(self, language: str) -> str:
        return self.texts.get(nearest(language), {}).get("benefits") or self.benefits


@dataclass(frozen=True, kw_only=True)
class Collected:
    """A card's own: stamps and unused rewards on one stamp card."""

    stamp_card: StampCardView
    stamps: int
    vouchers: int

    def line(self, language: str) -> str:
        """●●●●●●●○○○ 7 of 10"""
        return f"{rules.drawn(self.stamps, self.stamp_card.size)} {self._count(language)}"

    def front(self, language: str) -> str:
        """3 of 5 ●●●○○, or 1 ready · 7 of 10: where a row is shared the end is cut, so what matters most goes first."""
        if self.vouchers:
            ready = text(language, "%(count)s ready", count=self.vouchers)
            return f"{ready} · {self._count(language)}" if self.stamp_card.is_live else ready
        if self.stamp_card.size > FRONT_DOTS:
            return self._count(language)
        return f"{self._count(language)} {rules.drawn(self.stamps, self.stamp_card.size)}"

    def _count(self, language: str) -> str:
        return text(language, "%(stamps)s of %(size)s", stamps=self.stamps, size=self.stamp_card.size)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A membership, until the end of `last_on`."""

    club: ClubView
    last_on: date


def stamp_cards_of(session: Session, programme_ids: Collection[int]) -> dict[int, tuple[StampCardView, ...]]:
    """The stamp cards that may stand on cards, by programme."""
    found: dict[int, list[StampCardView]] = defaultdict(list)
    for row in session.scalars(_STAMP_CARDS, {"ids": programme_ids}):
        if row.state != "scheduled":
            found[row.programme_id].append(
                StampCardView(
                    public_id=row.public_id,
                    name=row.name,
                    reward=row.reward,
                    texts=row.texts,
                    size=row.size,
                    is_live=row.state == "live",
                )
            )
    return {programme: tuple(sorted(each, key=lambda one: not one.is_live)) for programme, each in found.items()}


def clubs_of(session: Session, programme_ids: Collection[int]) -> dict[int, tuple[ClubView, ...]]:
    """Clubs by programme."""
    found: dict[int, list[ClubView]] = defaultdict(list)
    for row in session.scalars(_CLUBS, {"ids": programme_ids}):
        view = ClubView(id=row.id, name=row.name, benefits=row.benefits, texts=row.texts)
        found[row.programme_id].append(view)
    return {programme: tuple(each) for programme, each in found.items()}


def texts_of(member_id: ColumnElement[int]) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Columns for a statement that reads a card: its units and its memberships, for `stamps_from` and `clubs_from`."""
    unit, one = _ACCOUNT.c, _MEMBERSHIP.c
    units = select(together(unit.unit + "=" + cast(unit.balance, Text))).where(
        unit.member_id == member_id,
        unit.role == "avail",
        unit.balance > 0,
        # SQLite prepares a statement anew for each value that is bound to a LIKE: 180 µs, where this takes 10
        (func.substr(unit.unit, 1, 6) == "stamp:") | (func.substr(unit.unit, 1, 8) == "voucher:"),
    )
    ends = cast(type_coerce(one.ends_at, BigInteger), Text)
    clubs = select(together(cast(one.club_id, Text) + "=" + ends)).where(
        one.member_id == member_id, one.dropped_at.is_(None)
    )
    return units.scalar_subquery(), clubs.scalar_subquery()


def stamps_from(stamp_cards: Sequence[StampCardView], units: str | None) -> tuple[Collected, ...]:
    """What stands on the card: every live stamp card, and others of which a reward is left."""
    if not stamp_cards:
        return ()
    stands = {name: int(count) for name, count in pairs(units)}
    found = [
        Collected(
            stamp_card=one,
            stamps=stands.get(f"stamp:{one.public_id}", 0),
            vouchers=stands.get(f"voucher:{one.public_id}", 0),
        )
        for one in stamp_cards
    ]
    return tuple(one for one in found if one.stamp_card.is_live or one.vouchers)


def clubs_from(clubs: Sequence[ClubView], rows: str | None, zone: str, now: datetime) -> tuple[Joined, ...]:
    """The memberships that are not over; the last to end first."""
    by_id = {one.id: one for one in clubs}
    found = []
    for name, ends_ms in pairs(rows):
        ends_at = datetime.fromtimestamp(int(ends_ms) / 1000, UTC)
        if ends_at > now and int(name) in by_id:
            last_on = localtime.wall_clock(ends_at - timedelta(milliseconds=1), zone).date()
            found.append(Joined(club=by_id[int(name)], last_on=last_on))
    return tuple(sorted(found, key=lambda one: (one.last_on, one.club.id), reverse=True))


def front_line(collected: Sequence[Collected], language: str) -> tuple[str, str] | None:
    """Name and line of the one that stands on the front: with a reward to use, or else the nearest to full."""
    worth_a_look = [one for one in collected if one.stamp_card.is_live or one.vouchers]
    if not worth_a_look:
        return None
    first = max(
        worth_a_look,
        key=lambda one: (one.vouchers > 0, one.stamps * 50 // one.stamp_card.size, one.stamp_card.public_id),
    )
    return first.stamp_card.name_in(language), first.front(language)


def stamp_lines(collected: Sequence[Collected], language: str) -> list[str]:
    """Every stamp card in a paragraph of its own, those with a reward to use first."""
    ordered = sorted(collected, key=lambda one: (-one.vouchers, -one.stamps))[:STAMP_CARDS_SHOWN]
    return ["\n".join(_of_card(one, language)) for one in ordered]


def _of_card(one: Collected, language: str) -> Iterator[str]:
    reward = one.stamp_card.reward_in(language)
    yield one.stamp_card.name_in(language)
    if one.vouchers:
        yield text(language, "Yours to use: %(count)s × %(reward)s", count=one.vouchers, reward=reward)
    if one.stamp_card.is_live:
        yield one.line(language)
        if rules.is_near(one.stamps, one.stamp_card.size):
            yield text(language, "One more stamp: %(reward)s", reward=reward)
        elif not one.vouchers:
            yield reward


def pairs(told: str | None) -> list[tuple[str, str]]:
    """`a=1 b=2` as pairs."""
    return [(name, value) for name, _, value in (one.rpartition("=") for one in (told or "").split())]
