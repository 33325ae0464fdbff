"""The message of a campaign as it stands on a card: words that were sent, with what was true of the member then."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from babel.dates import format_date, format_datetime
from sqlalchemy import BigInteger, BindParameter, ColumnElement, Text, bindparam, cast, select, type_coerce
from sqlalchemy.orm import Session

from app import localtime
from app.campaigns import texts
from app.campaigns.models import Campaign, CampaignText, CardMessage
from app.db import table_of
from app.i18n import nearest

LINE_CHARACTERS = 90
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_WORDS = (
    select(CampaignText.id, Campaign.public_id, CampaignText.words)
    .join(Campaign, Campaign.id == CampaignText.campaign_id)
    .where(CampaignText.id.in_(_IDS))
)
TABLE = table_of(CardMessage)


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of a campaign as they were sent, which never change, and the campaign's public id."""

    campaign: str
    words: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A card's newest message as its row has it; `starts_ms` and `ends_ms` are epoch milliseconds."""

    text_id: int
    run_id: int | None
    starts_ms: int
    ends_ms: int
    alert: bool
    numbers: str | None

    @property
    def starts_at(self) -> datetime:
        return datetime.fromtimestamp(self.starts_ms / 1000, UTC)

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(self.ends_ms / 1000, UTC)


@dataclass(frozen=True, kw_only=True)
class MessageView:
    """What a card says, in its own language.

    `line` is for the lock screen: the title and its day, so that next week's message of the same words is another. `id`
    is the same for all tries to send it. `alert`: whether it may sound. `run_id` is None for a test.
    """

    id: str
    run_id: int | None
    line: str
    title: str
    body: str
    starts_at: datetime
    ends_at: datetime
    alert: bool


def columns() -> tuple[ColumnElement[Any], ...]:
    """Columns for a statement that reads a card and joins `TABLE`, for `sent`."""
    one = TABLE.c
    starts, ends = (type_coerce(column, BigInteger) for column in (one.starts_at, one.ends_at))
    return one.text_id, one.run_id, starts, ends, one.alert, cast(one.numbers, Text)


def sent(
    text_id: int | None, run_id: int | None, starts_ms: int | None, ends_ms: int | None, alert: bool | None,
    numbers: str | None,
) -> Sent | None:  # fmt: skip
    """The message of the columns above; None without one."""
    if text_id is None or starts_ms is None or ends_ms is None:
        return None
    return Sent(
        text_id=text_id, run_id=run_id, starts_ms=starts_ms, ends_ms=ends_ms, alert=bool(alert), numbers=numbers
    )


def words_of(session: Session, text_ids: Collection[int]) -> dict[int, Words]:
    """Words by their id, in one statement; none is asked for no ids."""
    if not text_ids:
        return {}
    rows = session.execute(_WORDS, {"ids": sorted(set(text_ids))})
    return {id: Words(campaign=campaign, words=words) for id, campaign, words in rows}


def drawn(message: Sent, words: Words, *, name: str, language: str, zone: str) -> MessageView | None:
    """A message for one member; the name is the one of today, all else what was true when it was sent.

    None if nothing is left to say, as of a name that was taken back.
    """
    numbers = json.loads(message.numbers) if message.numbers else None
    fields = {**(numbers or {}), texts.FIRST_NAME: texts.first_name(name)}
    title, body = texts.filled(words.words, language, fields)
    title, body = title.strip() or body.strip(), body.strip()
    if not title:
        return None
    key = f"test-{message.starts_ms}" if message.run_id is None else str(message.run_id)
    return MessageView(
        id=f"{words.campaign}-{key}",
        run_id=message.run_id,
        line=line_of(title, message.starts_at, language=language, zone=zone, is_test=message.run_id is None),
        title=title,
        body=body,
        starts_at=message.starts_at,
        ends_at=message.ends_at,
        alert=message.alert,
    )


def line_of(title: str, at: datetime, *, language: str, zone: str, is_test: bool = False) -> str:
    """What the lock screen says. A phone sounds for a text that it has not now, and a test is often sent twice."""
    local, locale = localtime.wall_clock(at, zone), nearest(language)
    if is_test:
        day = str(format_datetime(local, "d MMM HH:mm:ss", locale=locale))
    else:
        day = str(format_date(local.date(), "d MMM", locale=locale))
    room = LINE_CHARACTERS - len(day) - 3
    short = title if len(title) <= room else title[: room - 1].rstrip() + "…"
    return f"{short} · {day}"
