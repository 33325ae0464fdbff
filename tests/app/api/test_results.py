"""Results of campaigns and pilots as an integrator reads them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.campaigns.models import Campaign
from app.results import counts
from app.results.models import CampaignResult
from app.world import World
from tests import factories
from tests.app.api.conftest import Api, problem
from tests.app.marketing.results.test_pages import counted
from tests.app.pilots.chain import Chain
from tests.app.results.stage import Stage
from tests.conftest import MovableClock


@pytest.fixture
def api(client: FlaskClient, world: World, key_for: Callable[..., str]) -> Api:
    return Api(client=client, key=key_for("write"))


@pytest.fixture
def stage(world: World) -> Stage:
    return Stage(world, people=4)


def keep(world: World, campaign: Campaign, found: counts.Counts) -> None:
    with world.database.unit_of_work() as session:
        session.add(
            CampaignResult(
                campaign_id=campaign.id, computed_at=found.computed_at, again_at=found.computed_at,
                final=True, body=counts.as_json(found),
            )
        )  # fmt: skip


def results(api: Api, stage: Stage) -> dict[str, Any]:
    answer = api.get(f"/campaigns/{stage.campaign.public_id}/results")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def test_the_worked_campaign_is_answered_with_its_limits(
    api: Api, world: World, stage: Stage, clock: MovableClock
) -> None:
    keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))
    clock.advance(days=9)
    worth = {"margin": "45.00", "redemption_cost": "6.00"}
    api.call("PUT", f"/campaigns/{stage.campaign.public_id}/worth", worth)

    found = results(api, stage)

    assert found["effect"]["verdict"] == "more"
    assert found["effect"]["difference"] == {"value": 0.015, "low": 0.002713, "high": 0.025783}
    assert found["effect"]["relative_lift"] == {"value": 0.230769, "low": 0.034782, "high": 0.463876}
    assert found["buyers"]["incremental"]["value"] == 270
    assert found["money"]["net"] == {"value": "3510.00", "low": "-6442.49", "high": "12244.41"}
    assert not found["interim"]
    assert found["delivery"]["shown"] is None
    assert found["split"]["alarm"] is False


def test_half_the_people_are_inconclusive(api: Api, world: World, stage: Stage, clock: MovableClock) -> None:
    keep(world, stage.campaign, counted(720, 9_000, 65, 1_000))
    clock.advance(days=9)

    assert results(api, stage)["effect"]["verdict"] == "inconclusive"


def test_visits_of_too_few_people_have_no_difference(api: Api, world: World) -> None:
    stage = Stage(world, people=0, metric="visits")
    keep(world, stage.campaign, counted(90, 95, 0, 5))

    found = results(api, stage)

    assert found["effect"]["verdict"] == "no_comparison"
    assert (found["effect"]["difference"], found["effect"]["incremental"]) == (None, None)
    assert found["buyers"]["difference"] is not None


def test_planned_is_the_sum_and_an_early_look_is_interim(api: Api, stage: Stage) -> None:
    for number, arm in enumerate(("treated", "treated", "holdout")):
        stage.assign(number, arm)
    stage.assign(3, "", reason="no_consent")

    found = results(api, stage)

    told = found["counts"]
    assert told["planned"] == told["sent"] + told["waiting"] + sum(told["suppressed"].values()) == 4
    assert found["interim"]
    assert found["effect"]["relative_lift"] is None
    assert found["money"]["net"] is None


def test_the_sheet_has_the_figures_of_a_plot(api: Api, world: World, stage: Stage) -> None:
    keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))

    answer = api.get(f"/campaigns/{stage.campaign.public_id}/results/csv?sheet=redeemed")

    assert answer.mimetype == "text/csv"
    assert answer.text.splitlines() == ["day,uses", "2026-11-20,700", "2026-11-23,740"]
    problem(api.get(f"/campaigns/{stage.campaign.public_id}/results/csv?sheet=secrets"), 422, "invalid_query")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "margin"), ({"margin": "-1"}, "margin"), ({"margin": "1", "sending_cost": "1.2345"}, "sending_cost"),
     ({"margin": 5}, "margin")],
)  # fmt: skip
def test_a_worth_that_cannot_be_meant_is_refused_by_its_field(
    api: Api, stage: Stage, body: dict[str, Any], field: str
) -> None:
    answer = api.call("PUT", f"/campaigns/{stage.campaign.public_id}/worth", body)

    assert answer.status_code == 422
    assert field in answer.get_json()["errors"]


def test_another_programmes_campaign_is_unknown(
    client: FlaskClient, world: World, stage: Stage, key_for: Callable[..., str]
) -> None:
    with world.database.unit_of_work() as session:
        elsewhere = factories.programme(session, slug="stranger", pass_type_identifier="pass.com.example.stranger")
    stranger = Api(client=client, key=key_for("write", elsewhere))

    problem(stranger.get(f"/campaigns/{stage.campaign.public_id}/results"), 404, "unknown_campaign")


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain(world)


def body(chain: Chain, subject: str, **over: Any) -> dict[str, Any]:
    ids = {name: store.public_id for name, store in chain.stores.items()}
    return {
        "programme": chain.programme.slug, "name": "Tea in Marmara", "kind": "offer", "subject": subject,
        "starts_on": "2026-11-10", "ends_on": "2026-12-07", "pilot": [ids["Kadıköy"], ids["Moda"]],
        "control_regions": ["Ege"], **over,
    }  # fmt: skip


def test_a_pilot_is_begun_read_and_widened(api: Api, chain: Chain) -> None:
    for store, before, during in (("Kadıköy", 26, 31), ("Moda", 26, 31), ("Konak", 27, 29), ("Alsancak", 27, 29)):
        chain.days(store, chain.starts_on - timedelta(days=14), 100, repeaters=before)
        chain.days(store, chain.starts_on, 100, repeaters=during)

    made = api.post("/pilots", body(chain, chain.offer("Kadıköy", "Moda").public_id))
    found = api.get(f"/pilots/{made.get_json()['id']}").get_json()
    ended = api.post(f"/pilots/{found['id']}/widen", {"regions": ["Ege"]})

    assert made.status_code == 201, made.text
    assert found["report"]["trials"]["repeat"]["effect"] == 0.03
    assert found["report"]["trials"]["repeat"]["limits"] == {"low": 0.03, "high": 0.03}
    assert found["report"]["interim"]
    assert ended.get_json()["state"] == "widened"
    assert [one["id"] for one in api.get("/pilots").get_json()["items"]] == [found["id"]]
    problem(api.post(f"/pilots/{found['id']}/stop"), 409, "pilot_over")


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"control": ["Moda"]}, 422, "store_in_both"),
        ({"control_regions": ["Akdeniz"]}, 422, "unknown_region"),
        ({"control": ["sto_none"]}, 404, "unknown_store"),
        ({"control_regions": []}, 422, "invalid_pilot"),
        ({"ends_on": "2026-11-09"}, 422, "invalid_pilot"),
        ({"ends_on": "2026-13-09"}, 422, "invalid_body"),
        ({"kind": "wish"}, 422, "invalid_body"),
        ({"subject": "off_none"}, 404, "unknown_subject"),
        ({"kind": "rule", "subject": "Nothing"}, 404, "unknown_subject"),
    ],
)
def test_a_pilot_that_cannot_be_compared_is_refused(
    api: Api, chain: Chain, over: dict[str, Any], status: int, code: str
) -> None:
    given = {name: [chain.stores[one].public_id if one in chain.stores else one for one in value]
             if isinstance(value, list) and name == "control" else value for name, value in over.items()}  # fmt: skip

    subject = given.pop("subject", chain.offer("Kadıköy", "Moda").public_id)

    answer = api.post("/pilots", body(chain, subject, **given))

    problem(answer, status, code)


def test_one_store_in_a_group_has_numbers_and_no_interval(api: Api, chain: Chain) -> None:
    for store in ("Kadıköy", "Konak"):
        chain.days(store, chain.starts_on - timedelta(days=14), 10, repeaters=2)
        chain.days(store, chain.starts_on, 10, repeaters=3)
    ids = chain.stores["Kadıköy"].public_id, chain.stores["Konak"].public_id
    given = {"pilot": [ids[0]], "control": [ids[1]], "control_regions": []}

    made = api.post("/pilots", body(chain, chain.offer("Kadıköy").public_id, **given)).get_json()

    trial = made["report"]["trials"]["repeat"]
    assert (trial["effect"], trial["limits"]) == (0, None)


def test_a_stopped_pilot_has_called_its_offer_off(api: Api, chain: Chain) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    made = api.post("/pilots", body(chain, offer.public_id)).get_json()

    assert api.post(f"/pilots/{made['id']}/stop").get_json()["state"] == "stopped"
    assert api.get(f"/offers/{offer.public_id}").get_json()["state"] == "cancelled"
