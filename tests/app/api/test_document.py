"""The API's own description: valid, complete, kept to, and a page to try it on."""

import json
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.specs.openapi.definitions import OPENAPI_31

from app.api.routes import OPERATIONS
from tests.app.api.conftest import Api, Shop

EXAMPLES = 12
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
# a text of the right form that names no zone or currency is rightly refused
NOT_JUDGED = {GOOD: ["positive_data_acceptance"], BAD: ["positive_data_acceptance", "ignored_auth"]}
# ignored_auth: every case is given a right key afterwards; wrong keys are in test_door


def label(operation: Any) -> str:
    rule = operation.rule.replace("<", "{").replace(">", "}")
    return f"{operation.method} /api/v1{rule}"


def document(client: FlaskClient, name: str = "openapi.json") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/{name}").get_json()
    return found


def test_the_description_is_valid_openapi_3_1(client: FlaskClient) -> None:
    found = document(client)

    assert found["openapi"].startswith("3.1")
    assert [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(found)] == []


def test_every_call_is_described_and_says_how_it_may_be_refused(app: Flask, client: FlaskClient) -> None:
    paths = document(client)["paths"]
    described = {
        f"{method.upper()} {path}" for path, calls in paths.items() for method in calls if method != "parameters"
    }
    served = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/")
    }

    tags = [one["name"] for one in document(client)["tags"]]
    assert len(tags) == len(set(tags))
    assert {"programmes", "stores", "rewards", "members", "cards", "transactions", "offers", "webhooks"} <= set(tags)
    assert "stored value" in tags
    assert described == served == {label(one) for one in OPERATIONS}
    for path, calls in paths.items():
        for method, call in calls.items():
            if method != "parameters":
                assert {"401", "403", "429", "503"} <= set(call["responses"]), path
                assert call["summary"]


def test_bodies_refuse_unknown_fields_and_writes_that_move_points_need_a_key(client: FlaskClient) -> None:
    found = document(client)
    earn = found["paths"]["/api/v1/cards/{number}/earn"]["post"]

    assert [one["required"] for one in earn["parameters"] if one["name"] == "Idempotency-Key"] == [True]
    for name in ("NewProgramme", "NewMember", "NewEarning", "NewRedemption", "NewOffer"):
        assert found["components"]["schemas"][name]["additionalProperties"] is False


def test_the_older_form_holds_nothing_that_only_3_1_knows(client: FlaskClient) -> None:
    older = document(client, "openapi-3.0.json")

    assert older["openapi"] == "3.0.3"
    assert older["paths"].keys() == document(client)["paths"].keys()
    assert '"null"' not in json.dumps(older)
    assert older["components"]["schemas"]["Transaction"]["properties"]["receipt"]["nullable"] is True


def test_the_page_to_try_it_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/api/docs")

    assert page.status_code == 200
    assert "http://" not in page.text
    assert "https://" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
        answer = client.get(f"/api/docs/{name}")
        assert answer.status_code == 200
        answer.close()
    assert client.get("/api/docs/index.html").status_code == 404
    assert client.get("/api/docs/..%2f__init__.py").status_code == 404


def drive(cases: Any, shop: Shop | None, seen: set[int], key: str, excluded: list[Any]) -> None:
    """Send generated cases of one call and hold every answer against the description."""

    @seed(20261120)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases)
    def run(case: schemathesis.Case) -> None:
        if shop:
            _lead_to_something(case, shop)
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {key}"}
        answer = case.call()
        seen.add(answer.status_code)
        case.validate_response(answer, excluded_checks=excluded)

    run()


@pytest.mark.parametrize("mode", [GOOD, BAD], ids=["good", "bad"])
def test_whatever_is_sent_is_answered_as_described(app: Flask, admin: Api, shop: Shop, mode: GenerationMode) -> None:
    load_all_checks()
    excluded = [CHECKS.get_one(name) for name in NOT_JUDGED[mode]]
    calls = [found.ok() for found in schemathesis.openapi.from_wsgi("/api/openapi.json", app).get_all_operations()]
    statuses: dict[str, set[int]] = {}

    for call in calls:
        seen = statuses.setdefault(call.label, set())
        drive(call.as_strategy(generation_mode=mode), shop if mode is GOOD else None, seen, admin.key, excluded)

    assert not [status for seen in statuses.values() for status in seen if status >= 500]
    assert len(statuses) == len(OPERATIONS)


def _lead_to_something(case: schemathesis.Case, shop: Shop) -> None:
    """Point a generated call at what exists, so that it gets further than "no such card"."""
    member = shop.other_card.member.public_id  # erased on the way
    ours = {"number": shop.card.number, "programme": "kahve", "member": member}
    for name in set(case.path_parameters or {}) & set(ours):
        case.path_parameters[name] = ours[name]
    if isinstance(case.body, dict) and isinstance(case.body.get("programme"), str):
        case.body["programme"] = "kahve"
