"""Notices, corrections and top cards, ready to print."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.admin.pages import moment
from app.admin.texts import gettext
from app.cards import codes
from app.fraud import words
from app.fraud.watching import Seen, TopCard, Waiting
from app.i18n import page_language


@dataclass(frozen=True, kw_only=True)
class NoticeRow:
    """A notice; `facts` is the line of who, where and when."""

    id: str
    title: str
    text: str
    number: str
    card: str
    facts: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """A correction that waits. `is_own`: whoever reads this has asked for it."""

    id: str
    change: str
    number: str
    card: str
    reason: str
    facts: str
    is_own: bool


@dataclass(frozen=True, kw_only=True)
class TopRow:
    """Somebody at the till with the cards that they gave most to: number, purchases, points."""

    name: str
    cards: list[tuple[str, str, int, int]]


def notice(seen: Seen, names: Mapping[str, str]) -> NoticeRow:
    one, language = seen.notice, page_language()
    who = [names.get(one.actor, one.actor)]
    asked_by = one.facts.get("asked_by")
    if asked_by and asked_by != one.actor:
        who.append(gettext("asked for by %(name)s", name=names.get(asked_by, asked_by)))
    return NoticeRow(
        id=one.public_id,
        title=words.title(one.kind, language),
        text=words.sentence(one, language),
        number=seen.number,
        card=_last_four(seen.number),
        facts=" · ".join([*who, *([seen.store] if seen.store else []), moment(one.at)]),
        reason=one.dismissed_because,
    )


def correction(waiting: Waiting, names: Mapping[str, str], me: str) -> CorrectionRow:
    one, language = waiting.adjustment, page_language()
    return CorrectionRow(
        id=one.public_id,
        change=words.change(one.units, one.unit, language),
        number=waiting.number,
        card=codes.grouped(waiting.number),
        reason=one.reason,
        facts=f"{names.get(one.asked_by, one.asked_by)} · {moment(one.asked_at)}",
        is_own=one.asked_by == me,
    )


def top(found: Mapping[str, list[TopCard]], names: Mapping[str, str]) -> list[TopRow]:
    rows = [
        TopRow(
            name=names.get(actor, actor),
            cards=[(one.number, _last_four(one.number), one.times, one.points) for one in cards],
        )
        for actor, cards in found.items()
    ]
    return sorted(rows, key=lambda row: row.name.casefold())


def _last_four(number: str) -> str:
    return f"···· {number[-4:]}" if number else ""
