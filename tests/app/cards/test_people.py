"""What people type about themselves: tidied or refused by field, sealed at rest, and found by digest."""

from pathlib import Path

import pytest

from app.cards import people
from app.cards.people import Person
from app.errors import Unprocessable
from app.world import World
from tests import factories


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"name": "  Ayşe\t Yılmaz "}, {"name": "Ayşe Yılmaz"}),
        ({"name": "Ayşe"}, {"name": "Ayşe"}),
        ({"name": "X Æ A-12"}, {"name": "X Æ A-12"}),
        ({"name": "👩‍🍳 Chef"}, {"name": "👩‍🍳 Chef"}),
        ({"email": " Ayse@EXAMPLE.com "}, {"email": "Ayse@example.com"}),
        ({"email": "ayşe@example.com"}, {"email": "ayşe@example.com"}),
        ({"phone": "0532 123 45 67"}, {"phone": "+905321234567"}),
        ({"phone": "+62 812-3456-7890"}, {"phone": "+6281234567890"}),
        ({"phone": "0812 3456 7890", "region": "ID"}, {"phone": "+6281234567890"}),
        ({"birthday": "04-23"}, {"birthday": "04-23"}),
        ({"birthday": "1990-04-23"}, {"birthday": "04-23"}),
        ({"birthday": "02-29"}, {"birthday": "02-29"}),
        ({"email": "", "phone": "", "birthday": ""}, {"email": None, "phone": None, "birthday": None}),
    ],
)
def test_what_is_right_is_tidied(typed: dict[str, str], kept: dict[str, object]) -> None:
    person = people.checked(**{"name": "Ayşe", **typed})

    assert {field: getattr(person, field) for field in kept} == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " \n\t "),
        ("name", "x" * 201),
        ("name", "a\x00b"),
        ("name", "a\x1b[31mb"),
        ("name", "a\ud800b"),
        ("name", "\ue000"),
        ("email", "ayse"),
        ("email", "ayse@"),
        ("email", "a b@example.com"),
        ("email", "a@example.com\nBcc: b@example.com"),
        ("email", "x" * 400 + "@example.com"),
        ("phone", "12"),
        ("phone", "call me"),
        ("phone", "+1" * 200),
        ("phone", "+90 532 123 45 6\x00"),
        ("birthday", "13-01"),
        ("birthday", "02-30"),
        ("birthday", "2023-02-29"),
        ("birthday", "23.04"),
        ("birthday", "23.04.1990"),
        ("birthday", "0x-01"),
        ("birthday", "x" * 1000),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(field: str, value: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        people.checked(**{"name": "Ayşe", field: value})

    assert refusal.value.code == "invalid_person"
    assert list(refusal.value.errors) == [field]


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(Unprocessable) as refusal:
        people.checked("", email="x", phone="x", birthday="x")

    assert sorted(refusal.value.errors) == ["birthday", "email", "name", "phone"]


def test_a_person_is_sealed_in_the_database_file(world: World) -> None:
    with world.database.unit_of_work() as session:
        card = factories.card(
            session, factories.programme(session), "Zübeyde Karaosmanoğlu", email="zubeyde@example.com",
            phone="+905321234567", birthday="04-23",
        )  # fmt: skip
        member_id = card.member_id
    world.database.close()

    files = Path(world.settings.database_url.removeprefix("sqlite:///")).parent.glob("tessera.db*")
    content = b"".join(file.read_bytes() for file in files)
    for secret in ("Zübeyde", "Karaosmanoğlu", "zubeyde", "5321234567", "04-23"):
        assert secret.encode() not in content
    with world.database.reading() as session:
        member = session.get(people.Member, member_id)
        assert member is not None
        assert people.of(session, member) == Person(
            name="Zübeyde Karaosmanoğlu", email="zubeyde@example.com", phone="+905321234567", birthday="04-23"
        )


def test_digests_know_an_address_whatever_its_capitals_and_only_in_its_programme(world: World) -> None:
    with world.database.reading() as session:
        assert people.email_digest(session, 1, "A@example.com") == people.email_digest(session, 1, "a@EXAMPLE.com")
        assert people.email_digest(session, 1, "a@example.com") != people.email_digest(session, 2, "a@example.com")
        assert people.email_digest(session, 1, None) is None
        assert people.phone_digest(session, 1, None) is None


@pytest.mark.parametrize(
    ("name", "short", "initials"),
    [
        ("Ayşe Yılmaz", "Ayşe Y.", "AY"),
        ("Ayşe Nur Yılmaz", "Ayşe Y.", "AY"),
        ("Sukarno", "Sukarno", "S"),
        ("", "", ""),
        ("李 小龙", "李 小.", "李小"),
    ],
)
def test_what_a_cashier_sees_of_a_name(name: str, short: str, initials: str) -> None:
    assert people.short_name(name) == short
    assert people.initials(name) == initials
