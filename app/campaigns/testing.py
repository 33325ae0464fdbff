"""A test: the message on the cards of people who work here, outside of caps, of holdout and of all figures."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import i18n
from app.campaigns import audience, bulk, personal, runs, texts
from app.campaigns.models import Campaign, CampaignText
from app.cards.models import Card
from app.clock import milliseconds
from app.errors import Unprocessable
from app.fraud.models import StaffCard
from app.outbox import service as outbox
from app.outbox.service import Lane
from app.staff import audit

MARK = {"en": "Test", "tr": "Deneme", "id": "Uji coba"}
TEST_STANDS = timedelta(days=1)


def cards(session: Session, programme_id: int) -> list[Card]:
    """The cards of a programme that belong to people who work here."""
    mine = select(Card).join(StaffCard, StaffCard.card_id == Card.id)
    return list(session.scalars(mine.where(Card.programme_id == programme_id, Card.status == "active")))


def send(session: Session, campaign: Campaign, card: Card, *, by: str, now: datetime) -> None:
    """Show a campaign's words on a staff card at once, marked as a test, for a day.

    Raises: Unprocessable `not_a_staff_card`; Unprocessable `unfilled`, if a personal field says nothing for the card.
    """
    if session.get(StaffCard, card.id) is None or card.programme_id != campaign.programme_id:
        text = "Tests go to cards of people who work here; link yours first."
        raise Unprocessable("not_a_staff_card", text, errors={"card": text})
    setting = audience.setting(session, campaign)
    words = _marked(runs.words_of(session, campaign), setting.programme.language)
    fields = texts.fields_of(words)
    numbers = personal.numbers(session, setting.programme, [card.id], fields, now=now)[card.id]
    if texts.unfilled(words, card.member.language, numbers):
        text = "A personal field says nothing for this card; give it a fallback, such as {first_name|friend}."
        raise Unprocessable("unfilled", text, errors={"message": text})
    frozen = CampaignText(campaign_id=campaign.id, revision=_revision(session, campaign), words=words)
    session.add(frozen)
    session.flush()
    shared = {"text_id": frozen.id, "run_id": None, "starts_at": now, "ends_at": now + TEST_STANDS, "alert": True}
    bulk.put_messages(session, [card.id], shared, {card.id: personal.kept(numbers)})
    bulk.touch(session, [card.id], now=now)
    outbox.raise_want_of(
        session, bulk.these(session, [card.id]), lane=Lane.URGENT, now_ms=milliseconds(now), window_ms=0
    )
    audit.record(session, actor=by, action="campaign_tested", subject=f"campaign:{campaign.public_id}", now=now)


def _marked(words: Mapping[str, Any], language: str) -> dict[str, Any]:
    by_language = {
        one: {**inner, "title": _mark(str(inner.get("title") or words.get("title") or ""), one)}
        for one, inner in (words.get("texts") or {}).items()
    }
    return {**words, "title": _mark(str(words.get("title") or ""), language), "texts": by_language}


def _mark(title: str, language: str) -> str:
    return f"{MARK[i18n.nearest(language)]}: {title}"


def _revision(session: Session, campaign: Campaign) -> int:
    """Below those of what is sent for good, one for each test."""
    least = select(func.min(CampaignText.revision)).where(CampaignText.campaign_id == campaign.id)
    return min(0, session.scalar(least) or 0) - 1
