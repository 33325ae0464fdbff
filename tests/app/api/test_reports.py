"""Reports over the API: definitions, figures, CSV, and refusals that name the field."""

import csv
import io
from typing import Any

import pytest

from app.reports import building, service, valuing
from app.reports.models import ReportRun
from app.world import World
from tests.app.api.conftest import Api, Shop, make_key, problem

DAYS = "from=2026-11-01&to=2026-11-30"


def sell(api: Api, shop: Shop, amount: str = "120.00", receipt: str | None = None) -> None:
    body = {"amount": amount, "store": shop.store.public_id, "receipt": receipt}
    answer = api.post(f"/cards/{shop.card.number}/earn", {name: value for name, value in body.items() if value})
    assert answer.status_code == 201


def report(api: Api, name: str, query: str = DAYS) -> Any:
    answer = api.get(f"/reports/{name}?programme=kahve&{query}")
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def figures(found: Any) -> dict[str, Any]:
    return {one["metric"]: one["value"] for one in found["figures"]}


def test_the_catalogue_names_every_report_with_its_definitions(api: Api, shop: Shop) -> None:
    found = api.get("/reports").get_json()["items"]

    assert [one["name"] for one in found] == list(service.kinds("en"))
    repeat = next(one for one in found if one["name"] == "repeat")["definitions"]
    assert {"metric", "title", "formula", "unit"} == set(repeat[0])
    assert "at least two purchases" in next(one["formula"] for one in repeat if one["metric"] == "repeat_rate")


def test_the_catalogue_speaks_the_language_that_is_asked_for(api: Api, shop: Shop) -> None:
    assert api.get("/reports?language=tr").status_code == 200
    assert problem(api.get("/reports?language=xx"), 422, "invalid_query")["errors"].keys() == {"language"}


def test_figures_are_those_of_the_ledger(api: Api, shop: Shop, world: World) -> None:
    sell(api, shop, "120.00")
    sell(api, shop, "80.00")
    building.build(world)

    found = report(api, "overview")

    assert figures(found)["sales"] == 2
    assert figures(found)["sales_amount"] == "200.00"
    assert figures(found)["issued"] == 20
    assert figures(found)["repeat_rate"] == "1.0000"
    assert found["timezone"] == "Europe/Istanbul"
    assert found["built_at"] == "2026-11-20T10:00:00.000+00:00"
    assert found["incomplete_on"] == "2026-11-20"
    assert found["period"] == {"from": "2026-11-01", "to": "2026-11-30", "days": 30}


def test_what_cannot_be_divided_is_null(api: Api, shop: Shop) -> None:
    found = report(api, "repeat")

    assert figures(found)["repeat_rate"] is None
    assert figures(found)["buyers"] == 0
    assert found["rows"] == []


def test_liability_follows_from_what_a_point_is_worth(api: Api, shop: Shop, world: World) -> None:
    sell(api, shop, "120.00")
    building.build(world)
    unsaid = figures(report(api, "liability"))
    with world.database.unit_of_work() as session:
        said = {"point_value": "0.10", "expected_use": "0.8"}
        valuing.change(session, shop.programme, said, by="staff:x", now=world.clock())

    found = figures(report(api, "liability"))

    assert unsaid["liability"] is None
    assert found == {"outstanding": 12, "liability": "0.96", "money_owed": "0.00"}


def test_why_a_message_was_not_sent_is_a_code(api: Api, shop: Shop, world: World) -> None:
    with world.database.unit_of_work() as session:
        for reason, cards in (("no_consent", 3), ("cap_day", 2)):
            session.add(
                ReportRun(
                    run_id=1, state="suppressed", arm="", reason=reason, programme_id=shop.programme.id,
                    day=world.clock().date(), campaign_id=0, offer_id=0, cards=cards,
                )
            )  # fmt: skip

    found = report(api, "messages", f"{DAYS}&language=tr")

    assert found["columns"][-1]["kind"] == "text"
    assert found["rows"][0][-1] == "cap_day 2, no_consent 3"


def test_one_store_alone(api: Api, shop: Shop, world: World) -> None:
    sell(api, shop, "120.00")
    api.post(f"/cards/{shop.card.number}/earn", {"amount": "50.00"})
    building.build(world)

    found = report(api, "stores", f"{DAYS}&store={shop.store.public_id}")

    assert figures(found)["sales"] == 1
    assert [row[0] for row in found["rows"]] == [shop.store.name]


def test_the_table_comes_as_csv_that_no_spreadsheet_runs(api: Api, shop: Shop, world: World) -> None:
    with world.database.unit_of_work() as session:
        shop.store.name = "=1+1"
        session.merge(shop.store)
    sell(api, shop, "120.00")
    building.build(world)

    answer = api.get(f"/reports/stores/csv?programme=kahve&{DAYS}")

    assert answer.status_code == 200
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0]["Store"] == "'=1+1"
    assert rows[0]["Member sales"] == "120.00"
    assert rows[0]["Time zone"] == "Europe/Istanbul"
    assert rows[0]["Day not over"] == "2026-11-20"


@pytest.mark.parametrize("path", ["/reports/units", "/reports/units/csv"])
@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("from=2026-11-20&to=2026-11-19", "invalid_period", "to"),
        ("from=2020-01-01&to=2026-11-19", "invalid_period", "from"),
        ("from=yesterday", "invalid_period", "from"),
        ("to=2026-13-01", "invalid_period", "to"),
        ("store=sto_nowhere", "unknown_store", "store"),
        ("nonsense=1", "invalid_query", "nonsense"),
    ],
)
def test_what_cannot_be_meant_is_422_with_its_field(
    api: Api, shop: Shop, path: str, query: str, code: str, field: str
) -> None:
    refused = problem(api.get(f"{path}?programme=kahve&{query}"), 422, code)

    assert set(refused["errors"]) == {field}


def test_a_store_of_another_programme_is_unknown(api: Api, shop: Shop) -> None:
    answer = api.get(f"/reports/units?programme=kahve&store={shop.other_store.public_id}")

    assert set(problem(answer, 422, "unknown_store")["errors"]) == {"store"}


def test_a_report_that_is_not_there_is_404(api: Api, shop: Shop) -> None:
    problem(api.get("/reports/horoscope?programme=kahve"), 404, "unknown_report")


def test_a_programme_must_be_named_where_the_key_sees_several(api: Api, shop: Shop, world: World) -> None:
    every = Api(client=api.client, key=make_key(world, "read"))

    assert set(problem(every.get("/reports/units"), 422, "programme_needed")["errors"]) == {"programme"}


def test_what_people_here_did_needs_a_key_of_scope_admin(api: Api, shop: Shop, world: World) -> None:
    small = Api(client=api.client, key=make_key(world, "write"))
    large = Api(client=api.client, key=make_key(world, "admin"))

    problem(small.get("/reports/cashiers?programme=kahve"), 403, "scope_too_small")
    assert large.get("/reports/cashiers?programme=kahve").status_code == 200
