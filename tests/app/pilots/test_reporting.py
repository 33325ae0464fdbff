"""The report of a pilot: stores with themselves, less what changed elsewhere; limits only where they have a measure."""

from datetime import date, timedelta

import pytest

from app.pilots import reporting, service
from app.pilots.reporting import Report, Span
from app.world import World
from tests.app.pilots.chain import Chain


def read(chain: Chain, public_id: str) -> Report:
    with chain.world.database.reading() as session:
        return reporting.report(session, service.by_id(session, public_id), now=chain.world.clock())


def begun(chain: Chain, pilot: tuple[str, ...], control: tuple[str, ...]) -> str:
    offer = chain.offer(*pilot)
    draft = chain.draft(offer.public_id, pilot=chain.some(*pilot), control=chain.some(*control))
    return chain.begun(draft).public_id


def weeks(chain: Chain, store: str, before: int, during: int) -> None:
    """Of 100 members each, so many bought twice in the weeks before and in those of the pilot."""
    chain.days(store, chain.starts_on - timedelta(days=14), 100, repeaters=before)
    chain.days(store, chain.starts_on, 100, repeaters=during)


def test_the_repeat_rate_changed_by_three_points_beyond_what_changed_elsewhere(any_world: World) -> None:
    chain = Chain(any_world)
    weeks(chain, "Kadıköy", 26, 31)
    weeks(chain, "Konak", 27, 29)

    found = read(chain, begun(chain, ("Kadıköy",), ("Konak",))).trials["repeat"]

    assert found is not None
    assert float(f"{found.effect:.4g}") == 0.03
    assert found.limits is None
    assert (found.pilot_stores, found.control_stores) == (1, 1)


def test_two_stores_in_each_group_have_an_interval(world: World) -> None:
    chain = Chain(world)
    for store, before, during in (("Kadıköy", 26, 31), ("Moda", 24, 30), ("Konak", 27, 29), ("Alsancak", 25, 26)):
        weeks(chain, store, before, during)

    found = read(chain, begun(chain, ("Kadıköy", "Moda"), ("Konak", "Alsancak"))).trials["repeat"]

    assert found is not None
    assert found.limits is not None
    assert found.effect == pytest.approx(0.04)
    assert found.limits.low < 0.04 < found.limits.high
    assert found.limits.high - 0.04 == pytest.approx(4.3027 * 0.5**0.5 / 100, rel=1e-3)  # two degrees of freedom


def test_visits_and_purchases_are_compared_too(world: World) -> None:
    chain = Chain(world)
    for store in ("Kadıköy", "Konak"):
        chain.days(store, chain.starts_on - timedelta(days=14), 10, spend_minor=20_00)
    chain.days("Kadıköy", chain.starts_on, 10, repeaters=5, spend_minor=26_00)
    chain.days("Konak", chain.starts_on, 10, spend_minor=21_00)

    found = read(chain, begun(chain, ("Kadıköy",), ("Konak",))).trials

    assert found["frequency"] is not None
    assert found["frequency"].effect == pytest.approx(0.5)
    assert found["basket"] is not None
    assert found["basket"].effect == pytest.approx(5_00)


def test_as_many_days_of_the_same_weekdays_are_compared_and_today_is_not_over(world: World) -> None:
    chain = Chain(world)  # ten whole days of the pilot are over

    found = read(chain, begun(chain, ("Kadıköy",), ("Konak",)))

    assert found.during == Span(first=date(2026, 11, 10), last=date(2026, 11, 19))
    assert found.before == Span(first=date(2026, 10, 27), last=date(2026, 11, 5))
    assert found.before.first.weekday() == found.during.first.weekday()
    assert found.is_interim


def test_after_its_last_day_the_figures_stay(world: World) -> None:
    chain = Chain(world)
    public_id = begun(chain, ("Kadıköy",), ("Konak",))
    world.clock.advance(days=60)  # type: ignore[attr-defined]

    found = read(chain, public_id)

    assert found.during == Span(first=chain.starts_on, last=chain.ends_on)
    assert not found.is_interim


def test_what_was_widened_is_compared_until_the_day_before(world: World) -> None:
    chain = Chain(world)
    public_id = begun(chain, ("Kadıköy",), ("Konak",))
    with world.database.unit_of_work() as session:
        service.stop(session, service.by_id(session, public_id), by="t", now=world.clock())
    world.clock.advance(days=5)  # type: ignore[attr-defined]

    found = read(chain, public_id)

    assert found.during is not None
    assert found.during.last == date(2026, 11, 19)
    assert not found.is_interim


def test_a_pilot_that_has_not_begun_has_no_figures_and_no_error(world: World) -> None:
    chain = Chain(world)
    chain.starts_on, chain.ends_on = date(2026, 12, 1), date(2026, 12, 14)

    found = read(chain, begun(chain, ("Kadıköy",), ("Konak",)))

    assert found.during is None
    assert found.trials == {"repeat": None, "frequency": None, "basket": None}
    assert [row.name for row in found.stores] == ["Kadıköy", "Konak"]


def test_a_pilot_that_was_kept_until_the_last_day_of_all_is_still_read(world: World) -> None:
    chain = Chain(world)
    public_id = begun(chain, ("Kadıköy",), ("Konak",))
    with world.database.unit_of_work() as session:
        service.by_id(session, public_id).ends_on = date.max

    found = read(chain, public_id)

    assert found.during == Span(first=date(2026, 11, 10), last=date(2026, 11, 19))
    assert found.is_interim


def test_a_store_without_purchases_is_shown_and_left_out_of_the_comparison(world: World) -> None:
    chain = Chain(world)
    weeks(chain, "Kadıköy", 26, 31)
    weeks(chain, "Konak", 27, 29)

    found = read(chain, begun(chain, ("Kadıköy", "Moda"), ("Konak",)))

    trial = found.trials["repeat"]
    assert trial is not None
    assert (trial.pilot_stores, trial.control_stores) == (1, 1)
    assert [row.name for row in found.stores if row.arm == "pilot"] == ["Kadıköy", "Moda"]
    assert next(row for row in found.stores if row.name == "Moda").change("repeat") is None
