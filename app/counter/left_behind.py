"""What would be lost with a card that is given up: it is settled first, because it cannot follow to another card."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clubs import service as clubs
from app.errors import Conflict, Sentence
from app.ledger.held import Held
from app.rewards.models import Taking
from app.rewards.service import to_collect
from app.tiers import ladder as ladders
from app.tiers import standings


def check_nothing(session: Session, source: Held, target: Held, *, now: datetime) -> None:
    """See that nothing stays on *source* that its owner would miss on *target*.

    Raises: Conflict `left_behind`.
    """
    waiting = select(Taking.id).where(Taking.card_id == source.id, Taking.state == "waiting").limit(1)
    if to_collect(session, source.id, now=now) or session.scalar(waiting):
        raise Conflict(
            "left_behind", "Something waits for the customer on the card that is given up. Hand it over or call it off."
        )
    theirs = {one.club_id for one in clubs.of_member(session, target.member_id) if one.ends_at > now}
    for one in clubs.of_member(session, source.member_id):
        if one.ends_at > now and one.club_id not in theirs:
            text = "The card that is given up is in the club “%(name)s”. Let the other card join it first."
            raise Conflict("left_behind", Sentence(text, name=one.club.name))
    _check_grant(session, source, target, now)


def _check_grant(session: Session, source: Held, target: Held, now: datetime) -> None:
    ladder, given_up = standings.of_card(session, source.id, source.programme_id)
    _ladder, kept = standings.of_card(session, target.id, target.programme_id)
    today = ladder.today(now)
    grant, other = given_up.grant, kept.grant
    if grant is None or grant.to < today:
        return
    place = ladders.settled(ladder, kept, today).standing.place
    if grant.place > max(place, other.place if other and other.to >= today else -1):
        tier = ladder.tier(grant.place)
        text = "The card that is given up has the tier %(tier)s by hand. Give it to the other card first."
        raise Conflict("left_behind", Sentence(text, tier=tier.name if tier else ""))
