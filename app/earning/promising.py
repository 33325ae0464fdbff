"""The job that lets a programme promise what its rules give, once planned rules have begun."""

from app.earning import service
from app.world import World


def keep(world: World) -> int:
    """Look at every programme once; how many promised something else. Safe to run twice, from two processes, late."""
    now = world.clock()
    with world.database.reading() as session:
        broken = service.broken_promises(session, now=now)
    for programme_id in broken:
        with world.database.unit_of_work() as session:
            service.keep_promise(session, programme_id, now=now)
    return len(broken)
