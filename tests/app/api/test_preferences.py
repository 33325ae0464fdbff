"""Consents and preferences of members over the API."""

from typing import Any

import pytest

from app.cards.models import Member
from app.world import World
from tests.app.api.conftest import Api, Shop, problem

YES = {"purpose": "marketing", "channel": "wallet", "granted": True, "proof": "form 4711", "text_version": "pos-3"}


@pytest.fixture
def member(api: Api, shop: Shop) -> str:
    answer = api.post("/members", {"programme": "kahve", "name": "Bora Kaya", "birthday": "04-23"})
    return str(answer.get_json()["id"])


def test_an_answer_is_written_down_with_its_proof_and_holds(api: Api, world: World, member: str) -> None:
    told = api.call("PATCH", f"/members/{member}/consents", {"consents": [YES]}).get_json()

    kept = told["consents"][0]
    assert {name: kept[name] for name in YES} == YES
    assert (kept["source"], kept["language"], kept["actor"].partition(":")[0]) == ("api", "tr", "key")
    assert [one["granted"] for one in told["history"]] == [True, False]
    assert api.get(f"/members/{member}/consents").get_json() == told
    with world.database.reading() as session:
        assert session.query(Member).filter_by(public_id=member).one().marketing_consent


def test_a_no_needs_no_proof_and_the_same_again_writes_nothing(api: Api, member: str) -> None:
    path = f"/members/{member}/consents"
    api.call("PATCH", path, {"consents": [YES]})
    no = {"consents": [{"purpose": "marketing", "channel": "wallet", "granted": False}]}

    first, second = (api.call("PATCH", path, no).get_json() for _ in range(2))

    assert first == second
    assert [one["granted"] for one in second["history"]] == [False, True, False]


@pytest.mark.parametrize(
    ("answers", "code", "field"),
    [
        ([{**YES, "proof": ""}], "proof_needed", "consents.0.proof"),
        ([{**YES, "proof": "  "}], "proof_needed", "consents.0.proof"),
        ([{**YES, "channel": "pigeon"}], "unknown_purpose", "consents.0.purpose"),
        ([{**YES, "granted": "perhaps"}], "invalid_body", "consents.0.granted"),
        ([{**YES, "proof": "x" * 201}], "invalid_body", "consents.0.proof"),
        ([{**YES, "proof": "\x07"}], "invalid_body", "consents.0.proof"),
        ([], "invalid_body", "consents"),
        ([YES] * 21, "invalid_body", "consents"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(
    api: Api, member: str, answers: list[dict[str, Any]], code: str, field: str
) -> None:
    found = problem(api.call("PATCH", f"/members/{member}/consents", {"consents": answers}), 422, code)

    assert field in found["errors"]
    assert len(api.get(f"/members/{member}/consents").get_json()["history"]) == 1


def test_preferences_are_changed_in_part(api: Api, member: str) -> None:
    path = f"/members/{member}/preferences"
    api.call("PATCH", path, {"quiet_from": "22:00", "quiet_to": "10:00", "per_week": 1, "timezone": "Asia/Jakarta"})

    told = api.call("PATCH", path, {"unwanted_topics": ["Beans"], "per_week": None}).get_json()

    assert told == {
        "member": member, "language": "tr", "timezone": "Asia/Jakarta", "quiet_from": "22:00", "quiet_to": "10:00",
        "per_week": None, "unwanted_topics": ["Beans"],
    }  # fmt: skip
    assert api.get(path).get_json() == told


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "invalid_preferences", "timezone"),
        ({"quiet_from": "22:00"}, "invalid_preferences", "quiet_to"),
        ({"quiet_from": "9", "quiet_to": "10:00"}, "invalid_preferences", "quiet_from"),
        ({"per_week": 8}, "invalid_body", "per_week"),
        ({"language": "xx"}, "invalid_body", "language"),
        ({"unwanted_topics": ["x"] * 21}, "invalid_body", "unwanted_topics"),
        ({"birthday": "02-30"}, "invalid_person", "birthday"),
        ({"birthday": "2027-02-29"}, "invalid_person", "birthday"),
        ({"birthday": "2027-03-01"}, "invalid_person", "birthday"),
        ({"shoe": 1}, "invalid_body", "shoe"),
    ],
)
def test_what_cannot_be_wished_for_is_refused_by_name(
    api: Api, member: str, body: dict[str, Any], code: str, field: str
) -> None:
    found = problem(api.call("PATCH", f"/members/{member}/preferences", body), 422, code)

    assert field in found["errors"]


def test_a_birthday_is_changed_once_in_a_year_and_not_told_to_who_changes_it(api: Api, member: str) -> None:
    path = f"/members/{member}/preferences"

    changed = api.call("PATCH", path, {"birthday": "1990-05-01"})
    again = api.call("PATCH", path, {"birthday": "06-01"})

    assert "05-01" not in changed.text
    assert "birthday" in problem(again, 409, "birthday_changed")["errors"]
    assert api.get(f"/members/{member}").get_json()["birthday"] == "05-01"
    assert api.call("PATCH", path, {"birthday": None}).status_code == 200
    assert api.get(f"/members/{member}").get_json()["birthday"] is None


@pytest.mark.parametrize("what", ["consents", "preferences"])
def test_of_an_unknown_or_erased_member_nothing_is_changed(api: Api, member: str, what: str) -> None:
    problem(api.get(f"/members/mem_nobody/{what}"), 404, "unknown_member")
    api.call("DELETE", f"/members/{member}")

    body = {"consents": [YES]} if what == "consents" else {"per_week": 1}
    problem(api.call("PATCH", f"/members/{member}/{what}", body), 409, "member_erased")
