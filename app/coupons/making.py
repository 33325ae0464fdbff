"""Making codes and bringing codes in, chunk by chunk, each a transaction of its own: tills wait for no batch."""

from collections.abc import Callable, Sequence
from functools import partial

from app.coupons import batches
from app.coupons.batches import BatchDraft
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


def bring_in(
    world: World, programme_id: int, draft: BatchDraft, own: Sequence[str], *, by: str, told: Callable[[int], None]
) -> str:
    """Keep codes that were made elsewhere, normalised and each once in *own*; the public id of their batch.

    One that another file brought in meanwhile is left out: `made` says how many were kept. Killed in the middle, it
    leaves a batch that is smaller; the rest can be brought in again.

    Raises: as `batches.ask`.
    """
    batch_id, public_id = world.database.transact(
        partial(batches.begin_own, programme_id=programme_id, draft=draft, by=by, now=world.clock())
    )
    for at in range(0, len(own), batches.CHUNK):
        chunk = own[at : at + batches.CHUNK]
        keep = partial(batches.keep_own, batch_id=batch_id, first=at, own=chunk)
        told(world.database.transact(keep, priority=Priority.BULK))
    world.database.transact(partial(batches.finish_own, batch_id=batch_id))
    return public_id
