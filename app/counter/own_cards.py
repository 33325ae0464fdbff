"""Cards of people who work here, known by their e-mail address: nobody gives anything to their own."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import people
from app.cards.models import Card, Member, Programme
from app.fraud import service as fraud
from app.fraud.models import StaffCard
from app.staff.models import Staff
from app.world import World

BY = "system:email"


def link(world: World) -> int:
    """Link the cards of members with the e-mail address of somebody who works here; how many are new."""
    with world.database.reading() as session:
        found = _unlinked(session)
    if not found:
        return 0
    now = world.clock()
    return world.database.transact(
        lambda writing: sum(fraud.link_card(writing, card, staff, by=BY, now=now) for card, staff in found)
    )


def of_staff(session: Session, actor: str) -> list[str]:
    """The numbers of the cards of somebody who works here, named as entries name them."""
    query = select(Card.number).join(StaffCard, StaffCard.card_id == Card.id).where(StaffCard.staff == actor)
    return list(session.scalars(query.order_by(Card.id)))


def _unlinked(session: Session) -> list[tuple[int, str]]:
    staff = list(session.execute(select(Staff.public_id, Staff.email, Staff.programme_id).where(Staff.active)))
    found: list[tuple[int, str]] = []
    for programme_id in session.scalars(select(Programme.id)).all():
        digests = {
            people.email_digest(session, programme_id, email): f"staff:{public_id}"
            for public_id, email, theirs in staff
            if theirs in (None, programme_id)
        }
        found += _in_programme(session, programme_id, digests)
    return found


def _in_programme(session: Session, programme_id: int, digests: dict[str | None, str]) -> Sequence[tuple[int, str]]:
    query = (
        select(Card.id, Member.email_index)
        .join(Member, Member.id == Card.member_id)
        .outerjoin(StaffCard, StaffCard.card_id == Card.id)
        .where(
            Member.programme_id == programme_id, Member.email_index.in_([one for one in digests if one]),
            StaffCard.card_id.is_(None),
        )
    )  # fmt: skip
    return [(card_id, digests[digest]) for card_id, digest in session.execute(query)]
