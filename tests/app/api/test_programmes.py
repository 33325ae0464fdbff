"""Programmes, stores and rewards over the API."""

from typing import Any

import pytest

from app.delivery import steps
from app.world import World
from tests.app.api.conftest import Api, Shop, problem

PROGRAMME: dict[str, Any] = {
    "slug": "kopi",
    "name": "Kopi Pagi",
    "currency": "IDR",
    "timezone": "Asia/Jakarta",
    "language": "id",
    "pass_type_identifier": "pass.com.example.kopi",
    "team_identifier": "A1B2C3D4E5",
    "organization_name": "Kopi Pagi",
}


def test_a_programme_is_made_with_everything_and_found_by_id_and_by_slug(admin: Api) -> None:
    wanted = {
        **PROGRAMME,
        "description": "Coffee in the morning",
        "earn": {"points": 2, "per": "10000"},
        "tiers": [
            {"name": "Biru", "threshold": "0"},
            {"name": "Emas", "threshold": "500000", "multiplier": "1.5", "background_color": "#5c4300"},
        ],
        "design": {"background_color": "#102030", "points_label": {"id": "Poin"}},
    }

    made = admin.post("/programmes", wanted)

    assert made.status_code == 201, made.text
    body = made.get_json()
    assert (body["slug"], body["earn"]["points"], body["description"]) == ("kopi", 2, "Coffee in the morning")
    assert [(tier["name"], tier["multiplier"]) for tier in body["tiers"]] == [("Biru", "1"), ("Emas", "1.5")]
    assert body["design"]["points_label"] == {"id": "Poin"}
    for name in (body["id"], "kopi"):
        assert admin.get(f"/programmes/{name}").get_json() == body


def test_a_slug_names_one_programme(admin: Api) -> None:
    admin.post("/programmes", PROGRAMME)

    problem(admin.post("/programmes", PROGRAMME), 409, "slug_taken")


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"slug": "Kopi Pagi"}, "slug"),
        ({"currency": "ZZZ"}, "currency"),
        ({"currency": 949}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"language": "tlh"}, "language"),
        ({"pass_type_identifier": "com.example"}, "pass_type_identifier"),
        ({"team_identifier": "short"}, "team_identifier"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"earn": {"points": -1}}, "earn.points"),
        ({"earn": {"points": 1.5}}, "earn.points"),
        ({"earn": {"points": True}}, "earn.points"),
        ({"earn": {"per": "0"}}, "earn.per"),
        ({"earn": {"per": 10000}}, "earn.per"),
        ({"earn": {"each": 1}}, "earn.each"),
        ({"tiers": [{"name": "A", "threshold": "5"}, {"name": "B", "threshold": "4"}]}, "tiers.1.threshold"),
        ({"tiers": [{"name": "A", "threshold": "5", "multiplier": "0"}]}, "tiers.0.multiplier"),
        ({"tiers": [{"threshold": "5"}]}, "tiers.0.name"),
        ({"design": {"background_color": "blue"}}, "design.background_color"),
        ({"design": {"background_color": "#ffffff", "foreground_color": "#fffffe"}}, "design.foreground_color"),
        ({"design": {"about": "text"}}, "design.about"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_faulty_programme_is_refused_with_the_field_named(admin: Api, over: dict[str, Any], field: str) -> None:
    answer = admin.post("/programmes", {**PROGRAMME, **over})

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"]


def test_a_store_takes_the_programmes_zone_unless_it_has_its_own(api: Api) -> None:
    near = api.post("/stores", {"programme": "kahve", "name": "Moda"})
    far = api.post(
        "/stores",
        {"programme": "kahve", "name": "Van", "timezone": "Asia/Tbilisi", "latitude": 38.5, "longitude": 43},
    )

    assert (near.status_code, far.status_code) == (201, 201)
    assert near.get_json()["timezone"] == "Europe/Istanbul"
    assert (far.get_json()["timezone"], far.get_json()["latitude"]) == ("Asia/Tbilisi", 38.5)
    names = [one["name"] for one in api.get("/stores?programme=kahve").get_json()["items"]]
    assert names == ["Kadıköy", "Moda", "Van"]


@pytest.mark.parametrize(
    ("over", "status", "field"),
    [
        ({"programme": "nobody"}, 404, "programme"),
        ({"name": "  "}, 422, "name"),
        ({"timezone": "Nowhere"}, 422, "timezone"),
        ({"latitude": 91, "longitude": 0}, 422, "latitude"),
        ({"latitude": "41"}, 422, "latitude"),
        ({"latitude": 41}, 422, "latitude"),
        ({"name": None}, 422, "name"),
    ],
)
def test_a_faulty_store_is_refused_with_the_field_named(
    api: Api, over: dict[str, Any], status: int, field: str
) -> None:
    answer = api.post("/stores", {"programme": "kahve", "name": "Moda", **over})

    assert answer.status_code == status, answer.text
    assert field in answer.get_json()["errors"]


def test_two_stores_of_one_programme_have_two_names(api: Api) -> None:
    problem(api.post("/stores", {"programme": "kahve", "name": "Kadıköy"}), 409, "store_exists")


def test_a_reward_is_brought_to_the_cards_that_show_it(api: Api, shop: Shop, world: World) -> None:
    while steps.expand(world):
        pass
    before = api.get(f"/cards/{shop.card.number}").get_json()["version"]

    api.post("/rewards", {"programme": "kahve", "name": "Free coffee", "points": 80})
    while steps.expand(world):
        pass

    assert api.get(f"/cards/{shop.card.number}").get_json()["version"] == before + 1
    assert api.get(f"/cards/{shop.other_card.number}").get_json()["version"] == 1


def test_rewards_are_listed_with_their_prices(api: Api, shop: Shop) -> None:
    made = api.post("/rewards", {"programme": "kahve", "name": "Coffee", "points": 50, "texts": {"tr": "Kahve"}})

    assert made.status_code == 201, made.text
    assert api.get("/rewards").get_json() == {"items": [made.get_json()], "next": None}
    assert made.get_json()["programme"] == shop.programme.public_id


@pytest.mark.parametrize("points", [0, -1, 10**10, "50", 1.5, None, True])
def test_a_reward_costs_a_whole_number_of_points(api: Api, points: object) -> None:
    answer = api.post("/rewards", {"programme": "kahve", "name": "Coffee", "points": points})

    assert "points" in problem(answer, 422, "invalid_body")["errors"]


def test_lists_go_on_where_the_page_before_ended(api: Api, world: World) -> None:
    for number in range(5):
        api.post("/rewards", {"programme": "kahve", "name": f"R{number}", "points": number + 1})

    pages, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/rewards?limit=2&cursor={cursor}" if cursor else "/rewards?limit=2").get_json()
        pages.append([one["name"] for one in page["items"]])
        cursor = page["next"]

    assert pages == [["R0", "R1"], ["R2", "R3"], ["R4"]]
