"""Programmes, tiers and stores: made whole or refused by field."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards import expansion, programmes
from app.cards.design import Design
from app.cards.models import Card, Expansion, Programme, Tier
from app.cards.programmes import TierDraft
from app.delivery import steps
from app.errors import Conflict, Unprocessable
from app.world import World
from tests import factories
from tests.conftest import MovableClock


def test_a_programme_is_made_with_its_tiers(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        made = factories.programme(session, name=" Kahve Durağı ", language="tr-TR", earn_per="12.50")

    with any_world.database.reading() as session:
        by_slug, by_id = programmes.by_name(session, "kahve"), programmes.by_name(session, made.public_id)
        assert by_slug is not None
        assert by_slug is by_id
        assert (by_slug.name, by_slug.language, by_slug.earn_per_minor) == ("Kahve Durağı", "tr", 1250)
        assert by_slug.description == "Kahve Durağı loyalty card"
        levels = [(tier.name, tier.threshold_minor, tier.multiplier_num, tier.multiplier_den) for tier in by_slug.tiers]
        assert levels == [("Silver", 200_000, 1, 1), ("Gold", 600_000, 3, 2)]
        assert programmes.design_of(by_slug) == Design()
        assert programmes.by_name(session, "nobody") is None


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"slug": "Kahve"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"slug": "-kahve"}, "slug"),
        ({"slug": "kahve\n"}, "slug"),
        ({"slug": "../admin"}, "slug"),
        ({"slug": "x" * 61}, "slug"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Kahve\x00"}, "name"),
        ({"organization_name": ""}, "organization_name"),
        ({"organization_name": "Kah\x1bve"}, "organization_name"),
        ({"currency": "TL"}, "currency"),
        ({"currency": "try"}, "currency"),
        ({"timezone": "Istanbul"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"language": "de"}, "language"),
        ({"language": ""}, "language"),
        ({"pass_type_identifier": "com.example.card"}, "pass_type_identifier"),
        ({"pass_type_identifier": "pass."}, "pass_type_identifier"),
        ({"pass_type_identifier": "pass.com/../../x"}, "pass_type_identifier"),
        ({"pass_type_identifier": "pass." + "x" * 300}, "pass_type_identifier"),
        ({"team_identifier": "A1B2C3D4E"}, "team_identifier"),
        ({"team_identifier": "a1b2c3d4e5"}, "team_identifier"),
        ({"earn_points": -1}, "earn.points"),
        ({"earn_points": 100_001}, "earn.points"),
        ({"earn_per": "0"}, "earn.per"),
        ({"earn_per": "-10"}, "earn.per"),
        ({"earn_per": "ten"}, "earn.per"),
        ({"currency": "JPY", "earn_per": "10.50", "tiers": ()}, "earn.per"),
        ({"tiers": (TierDraft(name="A", threshold="x"),)}, "tiers.0.threshold"),
        ({"tiers": (TierDraft(name="A", threshold="10"), TierDraft(name="B", threshold="10"))}, "tiers.1.threshold"),
        ({"tiers": (TierDraft(name="A", threshold="10"), TierDraft(name="B", threshold="9"))}, "tiers.1.threshold"),
        ({"tiers": (TierDraft(name="A", threshold="0"), TierDraft(name="A", threshold="9"))}, "tiers.1.name"),
        ({"tiers": (TierDraft(name=" ", threshold="0"),)}, "tiers.0.name"),
        ({"tiers": (TierDraft(name="Gol\x00d", threshold="0"),)}, "tiers.0.name"),
        ({"tiers": (TierDraft(name="x" * 41, threshold="0"),)}, "tiers.0.name"),
        ({"tiers": (TierDraft(name="A", threshold="0", multiplier="0"),)}, "tiers.0.multiplier"),
        ({"tiers": (TierDraft(name="A", threshold="0", multiplier="0.00"),)}, "tiers.0.multiplier"),
        ({"tiers": (TierDraft(name="A", threshold="0", multiplier="1/0"),)}, "tiers.0.multiplier"),
        ({"tiers": (TierDraft(name="A", threshold="0", multiplier="٢"),)}, "tiers.0.multiplier"),
        ({"tiers": (TierDraft(name="A", threshold="0", background_color="gold"),)}, "tiers.0.background_color"),
        ({"design": {"background_color": "red"}}, "design.background_color"),
        ({"design": {"colour": "red"}}, "design.colour"),
    ],
)
def test_what_will_not_do_is_refused_by_field(world: World, over: dict[str, Any], field: str) -> None:
    with world.database.unit_of_work() as session, pytest.raises(Unprocessable) as refusal:
        factories.programme(session, **over)

    assert refusal.value.code == "invalid_programme"
    assert list(refusal.value.errors) == [field]
    with world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Programme)) == 0
        assert session.scalar(select(func.count()).select_from(Tier)) == 0


def test_a_slug_is_taken_once(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.programme(session)
        with pytest.raises(Conflict, match="slug_taken"):
            factories.programme(session)


def test_a_store_has_the_programmes_zone_unless_it_says_otherwise(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        near = factories.store(session, programme)
        far = factories.store(session, programme, " Jakarta ", timezone="Asia/Jakarta", latitude=-6.2, longitude=106.8)
        with pytest.raises(Conflict, match="store_exists"):
            factories.store(session, programme, "Jakarta")

    assert (near.timezone, far.timezone, far.name) == ("Europe/Istanbul", "Asia/Jakarta", "Jakarta")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Kadı\x00köy"}, "name"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"latitude": 41.0}, "latitude"),
        ({"longitude": 29.0}, "latitude"),
        ({"latitude": 90.1, "longitude": 0.0}, "latitude"),
        ({"latitude": 0.0, "longitude": -180.1}, "longitude"),
        ({"latitude": float("nan"), "longitude": 0.0}, "latitude"),
        ({"latitude": 0.0, "longitude": float("inf")}, "longitude"),
    ],
)
def test_a_store_that_will_not_do_is_refused_by_field(world: World, over: dict[str, Any], field: str) -> None:
    with world.database.unit_of_work() as session:
        programme = factories.programme(session)
        with pytest.raises(Unprocessable) as refusal:
            factories.store(session, programme, **over)

    assert refusal.value.code == "invalid_store"
    assert list(refusal.value.errors) == [field]


def test_a_new_look_comes_to_every_card_in_steps_that_a_crash_does_not_repeat(
    any_world: World, clock: MovableClock
) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session)
        for number in range(3):
            factories.card(session, programme, f"Member {number}")
        other = factories.card(session, factories.programme(session, slug="other"))
        voided = factories.card(session, programme, "Voided")
        voided.status = "voided"
        programmes.change_design(session, programme, Design(background_color="#000000"), now=clock())

    def crash() -> None:
        with any_world.database.unit_of_work() as session:
            turn = expansion.next_turn(session)
            assert turn is not None
            assert expansion.take(session, turn, now=clock())
            raise ConnectionError

    with pytest.raises(ConnectionError):
        crash()
    rounds = 0
    while steps.expand(any_world):
        rounds += 1

    with any_world.database.reading() as session:
        versions = dict(session.execute(select(Card.id, Card.version)).all())  # type: ignore[arg-type]
        [run] = session.scalars(select(Expansion)).all()
        assert sorted(versions.values()) == [1, 1, 2, 2, 2]
        assert versions[other.id] == versions[voided.id] == 1
        assert (run.status, run.touched, run.reason, run.finished_at) == ("done", 3, "design", clock())
    assert rounds == 2
    assert programme.design["background_color"] == "#000000"


def test_two_editors_who_read_the_same_look_make_two_looks_of_it(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.programme(session)
    editors = [_read_programme(any_world) for _ in range(2)]

    for editor in editors:
        with any_world.database.unit_of_work() as session:
            session.add(editor)
            programmes.redesigned(session, editor, now=any_world.clock())

    assert [editor.design_version for editor in editors] == [2, 3]
    assert _read_programme(any_world).design_version == 3


def test_stores_added_at_once_are_all_counted_as_looks(any_world: World) -> None:
    with any_world.database.unit_of_work() as session:
        factories.programme(session)
    gate = threading.Barrier(6)

    def add(name: str) -> None:
        gate.wait()
        with any_world.database.unit_of_work() as session:
            row = session.scalars(select(Programme)).one()
            factories.store(session, row, name, latitude=41.0, longitude=29.0)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, [f"Branch {number}" for number in range(6)]))

    assert _read_programme(any_world).design_version == 7


def _read_programme(world: World) -> Programme:
    with world.database.reading() as session:
        return session.scalars(select(Programme)).one()
