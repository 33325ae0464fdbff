"""What time does to stamp cards, as a job."""

from app.gate import Priority
from app.stamps import service
from app.world import World


def begin_and_end(world: World) -> int:
    """Begin and end the stamp cards whose time has come; how many. Several processes may do it, or ten days late."""
    now = world.clock()
    return world.database.transact(lambda session: service.tick(session, now=now), priority=Priority.BULK)
