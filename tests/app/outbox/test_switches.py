import pytest

from app.outbox import switches
from app.outbox.rules import Lane
from app.world import World
from tests.app.outbox.kit import Kit, kit_for


@pytest.fixture
def kit(any_world: World) -> Kit:
    return kit_for(any_world)


def stop(kit: Kit, programme_id: int | None, reason: str = "wrong balance") -> bool:
    with kit.world.database.unit_of_work() as session:
        return switches.stop(session, programme_id=programme_id, reason=reason, by="ops", now_ms=kit.now_ms)


def resume(kit: Kit, programme_id: int | None) -> bool:
    with kit.world.database.unit_of_work() as session:
        return switches.resume(session, programme_id=programme_id)


def test_who_stopped_what_and_why_is_kept_and_the_first_stays(kit: Kit) -> None:
    assert stop(kit, kit.programme_id)
    assert not stop(kit, kit.programme_id, "another reason")
    assert stop(kit, None, "everything is wrong")

    with kit.world.database.reading() as session:
        found = switches.stopped(session)
    assert [(one.programme_id, one.reason, one.by) for one in found] == [
        (kit.programme_id, "wrong balance", "ops"),
        (None, "everything is wrong", "ops"),
    ]
    assert resume(kit, None)
    assert not resume(kit, None)


def test_rows_of_a_stopped_programme_leave_the_head_of_the_lane_to_others(kit: Kit) -> None:
    """Google's issuer is one sender for all programmes: one of them must not stand in the way of another."""
    other = kit_for(kit.world, slug="other")
    mine, theirs = kit.card(address_id=1), other.card(address_id=2)
    for one in (mine, theirs):
        kit.change(one)
    with kit.world.database.unit_of_work() as session:
        moved = switches.set_aside(
            session, kit.sender, channel="google", lane=Lane.URGENT, programme_ids=[kit.programme_id],
            now_ms=kit.now_ms + 1_000,
        )  # fmt: skip
    assert moved == 1
    assert kit.target(mine).not_before == kit.now_ms + 61_000
    assert kit.target(theirs).not_before == kit.now_ms + 1_000
    assert kit.target(mine).attempts == 0
