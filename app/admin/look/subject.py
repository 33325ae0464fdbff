"""The card that a look is tried on: a member's own, or a made-up one where there is nobody yet."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.cards import service as cards
from app.cards.design import Design
from app.cards.models import Asset, Card, Programme
from app.cards.ranges import Audience
from app.delivery import reach
from app.wallets import view as views
from app.wallets.view import CardView, ProgrammeView, TierView

SAMPLE_NUMBER = "7K3M9QX2TDS"
SAMPLE_SERIAL = "sample-card-of-the-designer"
SAMPLE_BALANCE = 120


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How many cards a new look goes to, and how many wallets hold them."""

    cards: int
    wallets: int


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Everything a preview is drawn from, read in one transaction. `pictures`: the uploaded ones by slot."""

    view: CardView
    is_sample: bool
    pictures: Mapping[str, Asset]
    reach: Reach

    def dressed(self, design: Design, *, language: str, tier: TierView | None) -> CardView:
        """The card in another design, language and tier."""
        programme = replace(self.view.programme, design=design)
        following = [one for one in programme.tiers if tier is None or one.position > tier.position]
        ahead = next((one for one in following if one.threshold_minor > 0), None)
        return replace(self.view, programme=programme, language=language, tier=tier, next_tier=ahead).with_notes()


def read(session: Session, programme: Programme, *, now: datetime) -> Subject:
    """The programme's youngest active card, or a made-up one."""
    newest = select(func.max(Card.id)).where(Card.programme_id == programme.id, Card.status == "active")
    card_id = session.scalar(newest)
    view = views.card_views(session, [card_id], now).get(card_id) if card_id else None
    return Subject(
        view=view or _sample(views.programme_views(session, [programme.id])[programme.id], now),
        is_sample=view is None,
        pictures=cards.assets(session, programme.id),
        reach=_reach(session, programme.id),
    )


def _reach(session: Session, programme_id: int) -> Reach:
    held = reach.wallets(session, reach.crowd(session, Audience(programme_id=programme_id)))
    return Reach(cards=held.cards, wallets=held.apple_phones + held.google_cards)


def _sample(programme: ProgrammeView, now: datetime) -> CardView:
    return CardView(
        card_id=0,
        member_id=0,
        number=SAMPLE_NUMBER,
        serial=SAMPLE_SERIAL,
        link=SAMPLE_SERIAL,
        status="active",
        version=1,
        modified_at=now.replace(microsecond=0),
        as_of=now,
        language=programme.language,
        short_name="Ayşe Y.",
        balance=SAMPLE_BALANCE,
        qualifying_minor=0,
        programme=programme,
        tier=programme.tiers[0] if programme.tiers else None,
        next_tier=programme.tiers[1] if len(programme.tiers) > 1 else None,
        offers=(),
        latest=None,
        latest_is_news=False,
    )
