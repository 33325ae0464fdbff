"""Publishing rules."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.cards.models import Programme
from app.earning import promising, service, versions
from app.errors import Conflict, Unprocessable
from app.world import World
from tests import factories
from tests.conftest import MovableClock

NOW = factories.NOW
DOUBLE = {"rules": [{"kind": "amount", "name": "Purchases", "points": 2, "per": "10.00"}]}
TRIPLE = {"rules": [{"kind": "amount", "name": "Purchases", "points": 3, "per": "10.00"}]}


@pytest.fixture
def programme(any_world: World) -> Programme:
    with any_world.database.unit_of_work() as session:
        return factories.programme(session)


def publish(world: World, programme: Programme, rules: Any = DOUBLE, **over: Any) -> int:
    values = {"starts_at": None, "note": "", "by": "staff:x", "now": NOW, **over}
    with world.database.unit_of_work() as session:
        return service.publish(session, programme, rules, **values).number


def rate(world: World, programme: Programme) -> tuple[int, int]:
    with world.database.reading() as session:
        found = session.get_one(Programme, programme.id)
        return found.earn_points, found.earn_per_minor


def test_each_publication_is_a_new_version_and_the_old_one_stays(any_world: World, programme: Programme) -> None:
    assert publish(any_world, programme, note=" spring ") == 2

    with any_world.database.reading() as session:
        newest, first = service.published(session, programme)
        assert (newest.number, newest.note, newest.starts_at) == (2, "spring", NOW)
        assert service.raw(newest) == DOUBLE
        assert service.raw(first)["rules"][0]["points"] == 1
        assert service.holding(session, programme, now=NOW).number == 2
    assert rate(any_world, programme) == (2, 1_000)


def test_rules_for_later_change_nothing_until_they_begin(any_world: World, programme: Programme) -> None:
    later = NOW + timedelta(days=3)
    publish(any_world, programme, starts_at=later)

    def at(when: datetime) -> int:
        world = replace(any_world, clock=MovableClock(when))
        changed = promising.keep(world)
        assert promising.keep(world) == 0
        return changed

    assert (at(NOW), rate(any_world, programme)[0]) == (0, 1)
    assert (at(later), rate(any_world, programme)[0]) == (1, 2)
    with any_world.database.reading() as session:
        held = versions.at(session, programme.id, "TRY", later - timedelta(seconds=1))
        assert held.rules.rules[0] == versions.read(service.published(session, programme)[1].rules, "TRY").rules[0]


def test_a_version_that_begins_sooner_replaces_those_that_were_planned(any_world: World, programme: Programme) -> None:
    publish(any_world, programme, starts_at=NOW + timedelta(days=3))
    publish(any_world, programme, TRIPLE, starts_at=NOW + timedelta(days=9))

    with any_world.database.reading() as session:
        found = service.published(session, programme)
    day = timedelta(days=1)
    assert [one.number for one in service.superseded(found, starts_at=NOW, now=NOW)] == [3, 2]
    assert [one.number for one in service.superseded(found, starts_at=NOW + 5 * day, now=NOW)] == [3]
    assert service.superseded(found, starts_at=NOW, now=NOW + 10 * day) == []


@pytest.mark.parametrize(
    ("rules", "over", "field"),
    [
        ({"rules": [{"kind": "multiplier", "name": "Tuesday", "factor": "-2", "no_end": True}]}, {}, "rules.0.factor"),
        ({"rules": [{"kind": "multiplier", "name": "Tuesday", "factor": "NaN", "no_end": True}]}, {}, "rules.0.factor"),
        ({"rules": [{"kind": "multiplier", "name": "Tuesday", "factor": "2"}]}, {}, "rules.0.no_end"),
        ({"rules": [{"kind": "amount", "name": "x", "points": 1, "per": "1000000000000"}]}, {}, "rules.0.per"),
        ({"rules": [{"kind": "amount", "name": "x\x07", "points": 1, "per": "1"}]}, {}, "rules.0.name"),
        ({"rules": [], "colour": "red"}, {}, "colour"),
        ([], {}, "rules"),
        (DOUBLE, {"starts_at": NOW - timedelta(seconds=1)}, "starts_at"),
        (DOUBLE, {"note": "x" * 201}, "note"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_by_field(
    any_world: World, programme: Programme, rules: Any, over: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unprocessable) as refusal:
        publish(any_world, programme, rules, **over)

    assert refusal.value.code == "invalid_rules"
    assert field in refusal.value.errors
    assert rate(any_world, programme) == (1, 1_000)


def test_whoever_has_not_seen_the_last_version_is_told(any_world: World, programme: Programme) -> None:
    publish(any_world, programme, based_on=1)

    with pytest.raises(Conflict, match="rules_changed"):
        publish(any_world, programme, TRIPLE, based_on=1)


def test_the_example_is_a_set_of_rules(any_world: World, programme: Programme) -> None:
    assert publish(any_world, programme, service.example("TRY")) == 2


def test_of_many_at_once_each_gets_a_number_of_its_own(any_world: World, programme: Programme) -> None:
    with ThreadPoolExecutor(6) as people:
        numbers = list(people.map(lambda _: publish(any_world, programme), range(6)))

    assert sorted(numbers) == [2, 3, 4, 5, 6, 7]


def test_of_many_who_saw_the_same_version_one_publishes(any_world: World, programme: Programme) -> None:
    def tried(_: int) -> str:
        try:
            return str(publish(any_world, programme, based_on=1))
        except Conflict as refusal:
            return refusal.code

    with ThreadPoolExecutor(6) as people:
        found = sorted(people.map(tried, range(6)))

    assert found == ["2", *["rules_changed"] * 5]
