"""The job that makes codes: chunk by chunk, each a transaction of its own, before whatever waits less urgently."""

from functools import partial

from app.coupons import batches
from app.gate import Priority
from app.world import World

CHUNKS_AT_ONCE = 20


def make_codes(world: World) -> int:
    """Make some chunks of the batches that are not complete; how many codes. Several processes may do it at once."""
    with world.database.reading() as reading:
        wanted = batches.being_made(reading)
    made = 0
    for batch_id in wanted:
        for _ in range(CHUNKS_AT_ONCE):
            chunk = world.database.transact(partial(batches.make_chunk, batch_id=batch_id), priority=Priority.BULK)
            made += chunk
            if not chunk:
                break
    return made
