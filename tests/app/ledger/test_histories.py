"""Random histories, shorter than by hand (`python -m tests.app.ledger.histories`)."""

from app.world import World
from tests.app.ledger import histories

HISTORIES, STEPS = 60, 40


def test_the_invariants_hold_after_every_step_of_random_histories(any_world: World) -> None:
    did = [what for done in histories.run(any_world.database, HISTORIES, STEPS, seed=4) for what in done]

    assert len(did) == HISTORIES * STEPS
    assert set(histories.WEIGHTS) <= set(did)  # each kind of step was not only tried but done
