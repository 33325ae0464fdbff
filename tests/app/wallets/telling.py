"""A campaign's message on a card, written as sending writes it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import ids
from app.campaigns import bulk
from app.campaigns.models import Campaign, CampaignRun, CampaignText, Recipient
from app.cards import service as cards
from app.cards.models import Card
from app.outbox.service import Lane


def say(
    session: Session,
    card_ids: list[int],
    words: dict[str, Any],
    *,
    now: datetime,
    lasts: timedelta = timedelta(days=2),
    numbers: dict[str, Any] | None = None,
    alert: bool = True,
    is_test: bool = False,
) -> int:
    """Send words to cards; the run's id."""
    programme_id = session.get_one(Card, card_ids[0]).programme_id
    campaign = Campaign(
        public_id=ids.public_id("cmp"), programme_id=programme_id, name="Autumn", kind="once", state="sending",
        timezone="Europe/Istanbul", message=words, created_by="test", created_at=now, changed_by="test", changed_at=now,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    text = CampaignText(campaign_id=campaign.id, revision=1, words=words)
    run = CampaignRun(campaign_id=campaign.id, occurrence="2026-11-22T10:00", state="sending", fire_at=now)
    session.add_all([text, run])
    session.flush()
    shared = {
        "text_id": text.id, "run_id": None if is_test else run.id, "starts_at": now, "ends_at": now + lasts,
        "alert": alert,
    }  # fmt: skip
    bulk.put_messages(session, card_ids, shared, dict.fromkeys(card_ids, numbers or {}))
    if not is_test:
        session.add_all(
            Recipient(run_id=run.id, card_id=one, state="sent", arm="treated", due_at=now, at=now) for one in card_ids
        )
    for card in session.scalars(select(Card).where(Card.id.in_(card_ids)).order_by(Card.id)):
        cards.touch(session, card, lane=Lane.NORMAL, now=now)
    session.flush()
    return run.id
