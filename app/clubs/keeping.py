"""What time does to memberships, as a job."""

import logging

from sqlalchemy.exc import OperationalError

from app.clubs import service
from app.db import is_lock_timeout
from app.errors import Busy
from app.gate import Priority
from app.world import World

LOGGER = logging.getLogger(__name__)
AT_ONCE = 1_000


def drop_over(world: World) -> int:
    """Take memberships that are over off their cards, a transaction each; how many. A card in use comes up again."""
    now, dropped = world.clock(), 0
    with world.database.reading() as session:
        found = service.over(session, now=now, limit=AT_ONCE)
    for one in found:
        try:
            dropped += world.database.transact(
                lambda session, one=one: service.drop(session, one, now=now),  # type: ignore[misc]  # mypy and defaults
                priority=Priority.BULK,
            )
        except Busy:
            break
        except OperationalError as problem:
            if not is_lock_timeout(problem):
                raise
            LOGGER.info("membership %s is in use; it is dropped at the next run", one)
    return dropped
