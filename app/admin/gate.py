"""What a person of the admin room may see: everything, or their own programme only."""

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.cards.models import Programme
from app.errors import Forbidden, NotFound
from app.staff import audit
from app.staff.guards import StaffIdentity
from app.world import World


def visible(session: Session, me: StaffIdentity) -> list[Programme]:
    """The programmes that this person looks after, the oldest first."""
    query = select(Programme).options(selectinload(Programme.tiers)).order_by(Programme.id)
    if me.programme_id is not None:
        query = query.where(Programme.id == me.programme_id)
    return list(session.scalars(query))


def open_programme(world: World, me: StaffIdentity, slug: str, *, subject: str) -> Programme:
    """The programme with its tiers, readable after the session is closed.

    Raises: NotFound `unknown_programme`; Forbidden `not_your_programme`, which is written into the audit log as a try
        of *subject*.
    """
    with world.database.reading() as session:
        query = select(Programme).options(selectinload(Programme.tiers)).where(Programme.slug == slug)
        found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("unknown_programme", "There is no programme at this address. It may have another short name.")
    check_programme(world, me, found.id, subject=subject)
    return found


def check_programme(world: World, me: StaffIdentity, programme_id: int | None, *, subject: str) -> None:
    """See that something of this programme (None: of the whole installation) is this person's business.

    Raises: Forbidden `not_your_programme`, noted in the audit log.
    """
    if me.programme_id is None or me.programme_id == programme_id:
        return
    with world.database.unit_of_work() as session:
        audit.record(session, actor=me.actor, action="forbidden", subject=subject, now=world.clock())
    raise Forbidden("not_your_programme", "This belongs to a programme that you do not look after.")
