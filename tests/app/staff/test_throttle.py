"""Counting tries with a clock that has more digits than the database keeps."""

from datetime import UTC, datetime

import pytest

from app.staff import throttle
from app.world import World


@pytest.mark.parametrize("microsecond", [0, 400, 600, 999_999])
def test_the_first_try_is_free_at_any_fraction_of_a_millisecond(world: World, microsecond: int) -> None:
    now = datetime(2026, 11, 20, 10, 0, 0, microsecond, tzinfo=UTC)

    with world.database.unit_of_work() as session:
        throttle.count_try(session, throttle.ADDRESS, "198.51.100.7", now=now)
        session.flush()
        throttle.count_try(session, throttle.ADDRESS, "198.51.100.7", now=now)
