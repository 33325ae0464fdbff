"""Staff and keys: handed out, refused, and ended at once."""

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.staff import service
from app.staff.models import ApiKey, Staff
from app.world import World
from tests import factories
from tests.app.admin.conftest import Browser, Office
from tests.app.pages import post

PERSON = {
    "name": "Ece Kaya",
    "email": "ece@example.com",
    "role": "cashier",
    "language": "tr",
    "password": "seven green kettles",
}


def staff_count(world: World) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Staff)) or 0


def test_somebody_is_added_at_a_store_and_can_sign_in(app: Flask, operator: Browser, office: Office) -> None:
    operator.follow(operator.send("/admin/staff", **PERSON, place=office.store.public_id))

    with office.world.database.reading() as session:
        made = service.by_email(session, "ece@example.com")
    assert made is not None
    assert (made.store_id, made.programme_id, made.language) == (office.store.id, office.programme.id, "tr")
    fields = {"email": "ece@example.com", "password": "seven green kettles"}
    assert post(app.test_client(), "/login", page="/login", **fields).status_code == 303
    assert [one.actor for one in office.events("staff_added")][-1] == f"staff:{office.operator.public_id}"


@pytest.mark.parametrize(
    ("over", "field", "sentence"),
    [
        ({"email": "ece"}, "email", "name@example.com"),
        ({"email": "operator@example.com"}, "email", "here already"),
        ({"name": ""}, "name", "1 to 100 characters"),
        ({"role": "owner"}, "role", "one of the roles"),
        ({"role": "king"}, "role", "one of the roles"),
        ({"place": "sto_elsewhere"}, "place", "one of the places"),
        ({"language": "tlh"}, "language", "one of the languages"),
        ({"password": "short"}, "password", "at least 10 characters"),
    ],
)
def test_a_faulty_person_is_refused_beside_the_field_and_the_password_is_not_shown_again(
    operator: Browser, office: Office, over: dict[str, str], field: str, sentence: str
) -> None:
    before = staff_count(office.world)

    answer = operator.send("/admin/staff", **{**PERSON, "place": "", **over})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'id="e-{field}"' in answer.text
    assert field == "name" or "Ece Kaya" in answer.text
    assert "seven green kettles" not in answer.text
    assert staff_count(office.world) == before


def test_only_an_owner_makes_owners(app: Flask, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        owner = factories.staff(session, "owner")
    browser = Browser(app, owner)

    browser.follow(browser.send("/admin/staff", **{**PERSON, "role": "owner", "place": ""}))

    with office.world.database.reading() as session:
        made = service.by_email(session, "ece@example.com")
    assert made is not None
    assert made.role == "owner"


def test_whose_access_ends_is_signed_out_at_once(app: Flask, operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        cashier = factories.staff(session, "cashier", store=office.store)
    theirs = Browser(app, cashier)

    page = operator.follow(operator.send(f"/admin/staff/{cashier.public_id}/end"))

    assert "Access ended" in page
    assert theirs.get("/till").status_code == 303
    assert len(office.events("staff_deactivated")) == 1


def test_nobody_ends_their_own_access_nor_an_operator_an_owner_s(operator: Browser, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        owner = factories.staff(session, "owner")

    assert operator.send(f"/admin/staff/{office.operator.public_id}/end").status_code == 409
    assert operator.send(f"/admin/staff/{owner.public_id}/end").status_code == 403
    assert operator.send("/admin/staff/sta_nobody/end").status_code == 404
    assert not office.events("staff_deactivated")


def test_an_operator_of_one_store_hands_out_that_store_only(app: Flask, office: Office) -> None:
    with office.world.database.unit_of_work() as session:
        narrow = factories.staff(session, "operator", email="narrow@example.com", store=office.store)
        other = factories.store(session, office.programme, "Beşiktaş")
    browser = Browser(app, narrow)

    for place in ("", office.programme.public_id, other.public_id):
        assert browser.send("/admin/staff", **PERSON, place=place).status_code == 422
    assert browser.send("/admin/staff", **PERSON, place=office.store.public_id).status_code == 303


def test_a_key_is_shown_once_and_works_until_it_is_revoked(operator: Browser, office: Office) -> None:
    fields = {"name": "Cash desk", "scope": "write", "programme": office.programme.public_id}
    shown = operator.send("/admin/keys", **fields)
    text = shown.text.split('<code translate="no">')[1].split("<")[0]
    assert shown.status_code == 201
    assert text not in operator.get("/admin/keys").text
    with office.world.database.reading() as session:
        key = service.key_by_text(session, text)
    assert key is not None
    assert (key.scope, key.programme_id) == ("write", office.programme.id)

    page = operator.follow(operator.send(f"/admin/keys/{key.public_id}/revoke"))

    assert "Revoked" in page
    with office.world.database.reading() as session:
        assert service.key_by_text(session, text) is None
    assert [len(office.events(one)) for one in ("key_created", "key_revoked")] == [1, 1]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scope": "god"}, "scope"),
        ({"programme": "?"}, "programme"),
    ],
)
def test_a_faulty_key_is_refused_beside_its_field(
    operator: Browser, office: Office, over: dict[str, str], field: str
) -> None:
    answer = operator.send("/admin/keys", **{"name": "Cash desk", "scope": "read", "programme": "", **over})

    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    with office.world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ApiKey)) == 0


def test_a_key_that_is_not_there_is_not_found(operator: Browser) -> None:
    assert operator.send("/admin/keys/key_none/revoke").status_code == 404
