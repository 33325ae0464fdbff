"""How members want to be told things."""

from typing import Any

import pytest

from app.cards import preferences
from app.cards.models import Card, Preference
from app.cards.preferences import Wishes
from app.cards.service import erase
from app.errors import Unprocessable
from app.world import World
from tests import factories


def changed(world: World, card: Card, **changes: Any) -> Wishes:
    with world.database.unit_of_work() as session:
        return preferences.change(session, session.get_one(Card, card.id), changes, now=world.clock())


@pytest.fixture
def card(any_world: World) -> Card:
    with any_world.database.unit_of_work() as session:
        return factories.card(session, factories.programme(session))


def test_who_has_chosen_nothing_is_told_as_the_programme_does_it(any_world: World, card: Card) -> None:
    with any_world.database.reading() as session:
        assert preferences.of(session, session.get_one(Card, card.id).member) == Wishes(language="en")


def test_wishes_are_kept_and_the_rest_stays(any_world: World, card: Card) -> None:
    changed(any_world, card, quiet_from="22:00", quiet_to="10:00", per_week=1, timezone="Asia/Jakarta")
    changed(any_world, card, unwanted_topics=["Cakes", " Cakes ", "Beans"])

    with any_world.database.reading() as session:
        kept = session.get_one(Card, card.id)
        assert preferences.of(session, kept.member) == Wishes(
            language="en", timezone="Asia/Jakarta", quiet_from="22:00", quiet_to="10:00", per_week=1,
            unwanted_topics=("Beans", "Cakes"),
        )  # fmt: skip
        assert kept.version == 1


def test_another_language_is_brought_to_the_phones(any_world: World, card: Card) -> None:
    changed(any_world, card, language="tr")

    with any_world.database.reading() as session:
        assert session.get_one(Card, card.id).version == 2


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"language": "xx"}, "language"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"quiet_from": "25:00", "quiet_to": "09:00"}, "quiet_from"),
        ({"quiet_from": "21:00"}, "quiet_to"),
        ({"per_week": 8}, "per_week"),
        ({"per_week": -1}, "per_week"),
        ({"per_week": True}, "per_week"),
        ({"unwanted_topics": ["x" * 41]}, "unwanted_topics"),
        ({"unwanted_topics": ["a\u0000"]}, "unwanted_topics"),
        ({"unwanted_topics": [""]}, "unwanted_topics"),
    ],
)
def test_what_cannot_be_wished_for_is_refused_by_name(
    any_world: World, card: Card, wanted: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unprocessable, match="invalid_preferences") as refusal:
        changed(any_world, card, **wanted)

    assert list(refusal.value.errors) == [field]


def test_an_erased_member_wishes_for_nothing(any_world: World, card: Card) -> None:
    changed(any_world, card, per_week=1, timezone="Asia/Jakarta")

    with any_world.database.unit_of_work() as session:
        erase(session, session.get_one(Card, card.id).member, now=any_world.clock())

    with any_world.database.reading() as session:
        assert session.get(Preference, card.member_id) is None
        assert session.get_one(Card, card.id).member.timezone is None
