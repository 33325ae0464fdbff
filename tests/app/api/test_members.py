"""Members over the API: enrolled with a card, read, changed, erased."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.cards.models import Card, Consent, Member, Suppression
from app.idempotency import RequestKey
from app.ledger import verify
from app.staff.models import AuditEvent
from app.world import World
from tests.app.api.conftest import Api, Shop, problem

BORA: dict[str, Any] = {
    "programme": "kahve",
    "name": "Bora Kaya",
    "email": "bora@example.com",
    "birthday": "1990-04-23",
}


def test_enrolling_makes_a_member_with_a_card_and_its_links(api: Api, shop: Shop) -> None:
    answer = api.post("/members", BORA)

    assert answer.status_code == 201, answer.text
    card = answer.get_json()["card"]
    assert (card["balance"], card["tier"], card["status"], card["version"]) == (0, None, "active", 1)
    page = card["links"]["page"]
    assert page.startswith("http://127.0.0.1:8080/c/")
    assert card["links"] == {"page": page, "apple": f"{page}.pkpass", "google": None}
    assert answer.get_json()["programme"] == shop.programme.public_id


def test_a_member_is_read_with_what_they_said_of_themselves(api: Api) -> None:
    extras = {"phone": "+90 533 765 43 21", "language": "id", "marketing_consent": True, "attributes": {"size": "L"}}
    made = api.post("/members", {**BORA, **extras}).get_json()

    read = api.get(f"/members/{made['id']}").get_json()

    assert (read["name"], read["email"], read["phone"]) == ("Bora Kaya", "bora@example.com", "+905337654321")
    assert (read["birthday"], read["language"], read["marketing_consent"]) == ("04-23", "id", True)
    assert (read["attributes"], read["card"]) == ({"size": "L"}, made["card"])


def test_the_stored_answer_of_an_enrolment_names_nobody(api: Api, world: World) -> None:
    api.post("/members", {**BORA, "attributes": {"nickname": "Bobo"}})

    with world.database.reading() as session:
        kept = "".join(session.scalars(select(RequestKey.answer)))

    assert "card" in kept
    assert not [word for word in ("Bora", "bora@example.com", "04-23", "Bobo") if word in kept]


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "A" * 201}, "name"),
        ({"email": "nobody"}, "email"),
        ({"phone": "0532 123 45 67"}, "phone"),
        ({"phone": "+90 1"}, "phone"),
        ({"birthday": "13-40"}, "birthday"),
        ({"birthday": "02-30"}, "birthday"),
        ({"birthday": "2031-04-23"}, "birthday"),
        ({"language": "xx"}, "language"),
        ({"marketing_consent": "yes"}, "marketing_consent"),
        ({"marketing_consent": 1}, "marketing_consent"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"a": {"b": 1}}}, "attributes.a"),
        ({"attributes": {"a": 10**30}}, "attributes.a"),
        ({"attributes": {f"a{n}": n for n in range(51)}}, "attributes"),
        ({"loyal": True}, "loyal"),
    ],
)
def test_a_faulty_member_is_refused_with_the_field_named(api: Api, over: dict[str, Any], field: str) -> None:
    answer = api.post("/members", {**BORA, **over})

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]


def test_a_known_address_is_not_enrolled_twice(api: Api) -> None:
    problem(api.post("/members", {**BORA, "email": "Ayse@example.com"}), 409, "already_member")
    problem(api.post("/members", {**BORA, "phone": "+905321234567"}), 409, "already_member")


def test_consent_language_and_attributes_can_be_changed(api: Api, shop: Shop, world: World) -> None:
    path = f"/members/{shop.card.member.public_id}"
    change = {"marketing_consent": True, "language": "tr", "attributes": {"a": 1}}

    changed = api.call("PATCH", path, change)

    assert changed.status_code == 200, changed.text
    assert changed.get_json()["card"]["version"] == 2
    read = api.get(path).get_json()
    assert (read["marketing_consent"], read["language"], read["attributes"]) == (True, "tr", {"a": 1})
    with world.database.reading() as session:
        assert session.scalars(select(Consent.granted).order_by(Consent.id.desc())).first() is True


def test_a_change_takes_only_what_can_be_changed(api: Api, shop: Shop) -> None:
    answer = api.call("PATCH", f"/members/{shop.card.member.public_id}", {"email": "new@example.com"})

    assert "email" in problem(answer, 422, "invalid_body")["errors"]


def test_erasing_forgets_the_person_and_keeps_the_sums(api: Api, shop: Shop, world: World) -> None:
    member, number = shop.card.member.public_id, shop.card.number
    api.post(f"/cards/{number}/earn", {"amount": "125.00"})

    first = api.call("DELETE", f"/members/{member}")
    again = api.call("DELETE", f"/members/{member}")

    assert [(one.status_code, one.text) for one in (first, again)] == [(204, ""), (204, "")]
    card = api.get(f"/cards/{number}").get_json()
    assert (card["status"], card["member"]["status"]) == ("erased", "erased")
    assert [card["member"][name] for name in ("name", "email", "phone", "birthday")] == [None] * 4
    assert (card["balance"], card["offers"], len(card["transactions"])) == (12, [], 1)
    problem(api.post(f"/cards/{number}/earn", {"amount": "125.00"}), 409, "card_not_active")
    problem(api.call("PATCH", f"/members/{member}", {"language": "tr"}), 409, "member_erased")
    with world.database.reading() as session:
        assert verify.differences(session) == []
        assert session.scalar(select(func.count()).select_from(Suppression)) == 2
        assert session.scalar(select(func.count()).where(AuditEvent.action == "member_erased")) == 1
        assert session.scalar(select(Member.sealed).where(Member.public_id == member)) is None
        assert session.scalar(select(Card.status).where(Card.number == number)) == "erased"


def test_members_are_listed_by_pages(api: Api, shop: Shop) -> None:
    first = api.get("/members?limit=1").get_json()
    rest = api.get(f"/members?cursor={first['next']}").get_json()

    assert [one["name"] for one in first["items"] + rest["items"]] == ["Ayşe Yılmaz", "Mallory Malone"]
    assert rest["next"] is None
