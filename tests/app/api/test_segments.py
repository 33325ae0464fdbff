"""Segments over the API: saved, tried out, changed, archived, paged; and why a card is in or out."""

from typing import Any

import pytest

from tests.app.api.conftest import Api

LOYAL = {"all": [{"fact": "visits", "op": "at_least", "value": 1}]}
EVERYBODY: dict[str, Any] = {"all": []}


def enrol(api: Api, name: str = "Deniz Kaya", **over: Any) -> dict[str, Any]:
    answer = api.post("/members", {"programme": "kahve", "name": name, **over})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def saved(api: Api, name: str = "Loyal", rules: dict[str, Any] = LOYAL) -> dict[str, Any]:
    answer = api.post("/segments", {"programme": "kahve", "name": name, "rules": rules})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def test_a_segment_is_saved_with_its_sentence_and_its_count(api: Api) -> None:
    number = enrol(api)["card"]["number"]
    made = saved(api, rules=EVERYBODY)  # with Ayşe they are two

    assert (made["count"], made["sentence"], made["state"]) == (2, "everybody", "live")
    assert api.get("/segments?programme=kahve").get_json()["items"][0]["id"] == made["id"]
    assert api.get(f"/segments/{made['id']}").get_json()["count"] == 2
    members = api.get(f"/segments/{made['id']}/members").get_json()
    assert [one["card"] for one in members["items"]][1:] == [number]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ([], "rules"),
        ({}, "rules.fact"),
        ({"fact": "shoe_size", "value": 44}, "rules.fact"),
        ({"fact": ["visits"]}, "rules.fact"),
        ({"all": [{"fact": "visits", "op": "like", "value": 1}]}, "rules.all[0].op"),
        ({"all": [{"fact": "visits", "op": ["is"], "value": 1}]}, "rules.all[0].op"),
        ({"all": [{"fact": "visits", "op": "is", "value": "1 OR 1=1"}]}, "rules.all[0].value"),
        ({"all": [{"fact": "visits", "op": "is", "value": True}]}, "rules.all[0].value"),
        ({"all": [{"fact": "visits", "op": "is", "value": 1.5}]}, "rules.all[0].value"),
        ({"all": [{"fact": "visits", "op": "is", "value": 10**400}]}, "rules.all[0].value"),
        ({"all": [{"fact": "visits", "op": "is", "value": 1, "days": -1}]}, "rules.all[0].days"),
        ({"any": []}, "rules.any"),
        ({"any": {"fact": "visits"}}, "rules.any"),
        ({"not": None}, "rules.not"),
        ({"all": [], "any": []}, "rules.any"),
        ({"all": [{"fact": "visits", "value": 1, "sql": "DROP TABLE card"}]}, "rules.all[0].sql"),
        ({"fact": "spend", "value": "12,50"}, "rules.value"),
        ({"fact": "spend", "value": 12.5}, "rules.value"),
        ({"fact": "joined", "op": "from", "value": "2026-02-30"}, "rules.value"),
        ({"fact": "tier", "value": "tier_999999"}, "rules.value"),
        ({"fact": "tier", "value": [["tier_1"]]}, "rules.value"),
        ({"fact": "tier", "value": []}, "rules.value"),
        ({"fact": "home_store", "value": "sto_none"}, "rules.value"),
        ({"fact": "language", "value": "klingon"}, "rules.value"),
        ({"fact": "attribute", "name": 'x")) OR 1=1 --', "value": "y"}, "rules.name"),
        ({"fact": "attribute", "name": "city", "value": "x" * 201}, "rules.value"),
        ({"fact": "attribute", "name": "city", "value": "x\u0007y"}, "rules.value"),
        ({"fact": "active", "op": "yes", "value": "x"}, "rules.value"),
        ({"fact": "consent", "value": "everything"}, "rules.value"),
        ({"fact": "stamps", "name": "stc_none", "value": 3}, "rules.name"),
    ],
)
def test_faulty_rules_are_refused_with_the_path_named(api: Api, rules: Any, field: str) -> None:
    answer = api.post("/segments", {"programme": "kahve", "name": "x", "rules": rules})

    assert answer.status_code == 422, answer.text
    assert field in answer.get_json()["errors"], answer.text


def test_rules_too_deep_too_long_or_too_many_are_refused(api: Api) -> None:
    deep: Any = {"fact": "visits", "value": 1}
    for _ in range(500):
        deep = {"not": deep}
    leaf = {"fact": "visits", "value": 1}
    for rules, code in ((deep, 422), ({"all": [leaf] * 31}, 422), ({"all": [{"any": [leaf] * 30}] * 3}, 422)):
        answer = api.post("/segments/try", {"programme": "kahve", "rules": rules})
        assert answer.status_code in {400, code}, answer.text


NO_VISIT = {"fact": "visits", "op": "is", "value": 0}
TURKISH = {"fact": "language", "value": "tr"}
RICH, POOR = {"fact": "balance", "op": "at_least", "value": 9}, {"fact": "balance", "op": "at_most", "value": 8}
MAY = "2026-05-01"


@pytest.mark.parametrize(
    "rules",
    [
        {"all": [{"fact": "visits", "op": "at_least", "value": 5}, NO_VISIT]},
        {"all": [{"fact": "visits", "op": "at_least", "value": 5, "days": 30}, NO_VISIT]},
        {"all": [{"fact": "active", "op": "yes"}, {"not": {"fact": "active", "op": "yes"}}]},
        {"all": [TURKISH, {"any": [{"all": [RICH, POOR]}]}]},
        {"all": [TURKISH, {"fact": "language", "value": ["en", "id"]}]},
        {"all": [{"fact": "joined", "op": "from", "value": MAY}, {"fact": "joined", "op": "before", "value": MAY}]},
        {"not": {"any": [RICH, POOR]}},
    ],
)
def test_rules_that_nobody_can_fit_count_nobody_with_a_hint(api: Api, rules: Any) -> None:
    enrol(api)

    answer = api.post("/segments/try", {"programme": "kahve", "rules": rules}).get_json()

    assert (answer["count"], answer["sample"]) == (0, [])
    assert "contradict" in answer["hint"]


def test_rules_that_somebody_may_fit_are_not_called_impossible(api: Api) -> None:
    rules = {"all": [
        {"fact": "visits", "op": "at_least", "value": 1}, {"fact": "visits", "op": "is", "value": 0, "days": 30},
        {"fact": "wallet", "value": "apple"}, {"fact": "wallet", "value": "google"},
    ]}  # fmt: skip

    answer = api.post("/segments/try", {"programme": "kahve", "rules": rules}).get_json()

    assert answer["hint"] == "Nobody fits these rules at the moment."


def test_a_try_shows_ten_members_and_saves_nothing(api: Api) -> None:
    people = [enrol(api, name=f"Member {number}")["id"] for number in range(12)]

    answer = api.post("/segments/try", {"programme": "kahve", "rules": EVERYBODY}).get_json()

    assert answer["count"] == 13
    assert answer["sample"] == people[:1:-1]
    assert api.get("/segments?programme=kahve").get_json()["items"] == []


def test_why_tells_each_rule_with_the_members_own_value(api: Api) -> None:
    number = enrol(api, language="tr")["card"]["number"]
    rules = {"all": [{"fact": "language", "value": "tr"}, {"not": {"fact": "balance", "op": "at_most", "value": 10}}]}
    made = saved(api, rules=rules)

    found = api.get(f"/segments/{made['id']}/cards/{number}").get_json()

    assert not found["is_in"]
    language, group = found["because"]["parts"]
    assert (language["holds"], language["sentence"], language["own"]) == (True, "Language: Türkçe", "Türkçe")
    assert (group["holds"], group["parts"][0]["own"]) == (False, "0")
    assert group["parts"][0]["sentence"] == "Points to spend: 10 or less"


def test_a_name_is_taken_once_and_a_change_counts_anew(api: Api) -> None:
    enrol(api)
    made = saved(api)
    other = saved(api, "Others")

    taken = api.call("PATCH", f"/segments/{other['id']}", {"name": "Loyal"})
    changed = api.call("PATCH", f"/segments/{made['id']}", {"rules": EVERYBODY}).get_json()

    assert (taken.status_code, taken.get_json()["code"]) == (409, "name_taken")
    assert (changed["count"], changed["revision"], made["count"]) == (2, 2, 0)


def test_archived_it_can_be_neither_changed_nor_chosen_again_nor_archived_twice_over(api: Api) -> None:
    made = saved(api)

    answers = [api.post(f"/segments/{made['id']}/archive") for _ in range(2)]

    assert [one.get_json()["state"] for one in answers] == ["archived", "archived"]
    assert api.get("/segments?programme=kahve").get_json()["items"] == []
    assert len(api.get("/segments?programme=kahve&archived=true").get_json()["items"]) == 1
    assert api.call("PATCH", f"/segments/{made['id']}", {"name": "x"}).get_json()["code"] == "segment_archived"


def test_members_come_in_pages(api: Api) -> None:
    numbers = [enrol(api, name=f"Member {number}")["card"]["number"] for number in range(5)]
    made = saved(api, rules=EVERYBODY)

    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/segments/{made['id']}/members?limit=2{f'&cursor={cursor}' if cursor else ''}").get_json()
        seen += [one["card"] for one in page["items"]]
        cursor = page["next"]

    assert seen[1:] == numbers
