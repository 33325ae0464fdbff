"""What a triggered campaign has said already: asked before a card is found due, and claimed as it is planned."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, exists, literal_column, select
from sqlalchemy.orm import Session

from app.campaigns.models import Campaign, Occasion, Recipient
from app.campaigns.occasions.due import Asked
from app.cards.models import Card


def never(asked: Asked, occasion: str) -> ColumnElement[bool]:
    """A condition on Card: that this campaign never told it on this occasion."""
    return ~_said(asked, Occasion.occasion == occasion)


def not_since(asked: Asked, at: datetime) -> ColumnElement[bool]:
    """A condition on Card: that this campaign has told it nothing since then."""
    return ~_said(asked, Occasion.at > at)


def of_cards(
    session: Session, campaign_ids: Collection[int], card_ids: Collection[int]
) -> dict[int, list[tuple[str, datetime]]]:
    """The occasions on which some campaigns told some cards, with when, by card id."""
    return _by_card(session, Occasion.campaign_id.in_(campaign_ids), Occasion.card_id.in_(card_ids))


def kept(
    session: Session, campaign_ids: Collection[int], card_ids: Collection[int]
) -> dict[int, list[tuple[str, datetime]]]:
    """The same, without those of whom nothing came: suppressed for another reason than to be compared."""
    came_to_nothing = exists(literal_column("1")).where(
        Recipient.run_id == Occasion.run_id, Recipient.card_id == Occasion.card_id, Recipient.state == "suppressed",
        Recipient.reason != "holdout",
    )  # fmt: skip
    mine = Occasion.campaign_id.in_(campaign_ids), Occasion.card_id.in_(card_ids)
    return _by_card(session, *mine, ~came_to_nothing)


def campaigns_on(session: Session, programme_id: int, on: str) -> list[int]:
    """The campaigns of a programme with one kind of trigger, whatever became of them."""
    query = select(Campaign.id, Campaign.trigger).where(
        Campaign.programme_id == programme_id, Campaign.kind == "triggered"
    )
    return [one for one, trigger in session.execute(query) if trigger.get("on") == on]


def _by_card(session: Session, *which: ColumnElement[bool]) -> dict[int, list[tuple[str, datetime]]]:
    found: dict[int, list[tuple[str, datetime]]] = {}
    rows = session.execute(select(Occasion.card_id, Occasion.occasion, Occasion.at).where(*which))
    for card_id, occasion, at in rows:
        found.setdefault(card_id, []).append((occasion, at))
    return found


def _said(asked: Asked, which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(literal_column("1")).where(
        Occasion.campaign_id == asked.campaign_id, Occasion.card_id == Card.id, which
    )
