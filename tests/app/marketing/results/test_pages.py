"""The page of a campaign's results: one sentence, plots with their tables, and no claim that is not covered."""

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from app.campaigns.models import Campaign
from app.results import counts
from app.results.counts import Arm, Counts, Moment, Planned, RunCounts
from app.results.models import CampaignResult
from app.world import World
from tests import factories
from tests.app.pages import csrf_of
from tests.app.results.stage import Stage
from tests.conftest import MovableClock

DUE_AT = factories.NOW


def counted(x1: int, n1: int, x0: int, n0: int, **over: object) -> Counts:
    due_ms = round(DUE_AT.timestamp() * 1000)
    found = Counts(
        computed_at=DUE_AT + timedelta(days=8), planned=n1 + n0 + 40, sent=n1,
        reasons={"holdout": n0, "no_consent": 40},
        notes={"wallet_quota": 3}, accepted=n1 - 5, apple=n1 // 2, google=n1 // 2, fetched=n1 // 3,
        treated=Arm(people=n1, buyers=x1, visits=x1, visits_squared=x1, uses=x1, cost_minor=0),
        held_back=Arm(people=n0, buyers=x0, visits=x0, visits_squared=x0),
        splits=(Planned(held_bp=1000, people=n1 + n0),), last_due_at=due_ms,
        redeemed_by_day={"2026-11-20": 700, "2026-11-23": 740},
        course=(
            Moment(at=due_ms, sent=0, accepted=0, fetched=0, redeemed=0),
            Moment(at=due_ms + 3_600_000, sent=n1, accepted=n1 - 5, fetched=n1 // 3, redeemed=700),
        ),
        runs=(RunCounts(occurrence="2026-11-20T13:00", fire_at=due_ms, planned=n1 + n0 + 40, sent=n1, suppressed=n0),),
    )  # fmt: skip
    return replace(found, **over)  # type: ignore[arg-type]


def keep(world: World, campaign: Campaign, found: Counts) -> str:
    """Put a count where the job would, and say where its page is."""
    with world.database.unit_of_work() as session:
        session.add(
            CampaignResult(
                campaign_id=campaign.id, computed_at=found.computed_at, again_at=found.computed_at,
                final=True, body=counts.as_json(found),
            )
        )  # fmt: skip
    return f"/marketing/results/{campaign.public_id}"


@pytest.fixture
def stage(world: World) -> Stage:
    made = Stage(world, people=0)
    with world.database.unit_of_work() as session:
        factories.staff(session, "marketer")
        factories.staff(session, "auditor")
        factories.staff(session, "cashier")
    return made


def signed_in(client: FlaskClient, role: str = "marketer") -> FlaskClient:
    client.post(
        "/login",
        data={"csrf_token": csrf_of(client, "/login"), "email": f"{role}@example.com", "password": factories.PASSWORD},
    )
    return client


def test_a_clear_effect_is_one_sentence_with_its_limits(client: FlaskClient, world: World, stage: Stage) -> None:
    address = keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))
    world.clock.advance(days=9)  # type: ignore[attr-defined]

    page = signed_in(client).get(address).text

    assert "It worked: between +0.27 and +2.58 buyers per 100." in page
    assert "20,040 planned = 18,000 sent + 2,000 held back + 40 not sent" in page
    assert "+270" in page
    assert "between +49 and +464" in page
    assert "+23.1" in page
    assert "Interim" not in page


def test_the_same_shares_of_half_the_people_are_inconclusive(client: FlaskClient, world: World, stage: Stage) -> None:
    address = keep(world, stage.campaign, counted(720, 9_000, 65, 1_000))
    world.clock.advance(days=9)  # type: ignore[attr-defined]

    page = signed_in(client).get(address).text

    assert "Inconclusive, no clear effect: between −0.29 and +2.98 buyers per 100." in page


def test_an_early_look_is_marked_as_interim(client: FlaskClient, world: World, stage: Stage) -> None:
    early = counted(720, 9_000, 65, 1_000, computed_at=DUE_AT + timedelta(days=1))
    address = keep(world, stage.campaign, early)

    page = signed_in(client).get(address).text

    assert "Interim: it is still being measured" in page
    assert "No clear effect yet: between −0.29 and +2.98 buyers per 100." in page


def test_numbers_are_written_as_the_reader_writes_them(client: FlaskClient, world: World, stage: Stage) -> None:
    address = keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))

    page = signed_in(client).get(address + "?lang=tr").text

    assert "+0,27" in page
    assert "20.040" in page


def test_without_a_buyer_among_those_held_back_the_lift_is_not_computable(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    page = signed_in(client).get(keep(world, stage.campaign, counted(20, 900, 0, 100))).text

    assert "not computable" in page


def test_groups_that_are_not_as_planned_raise_an_alarm(client: FlaskClient, world: World, stage: Stage) -> None:
    page = signed_in(client).get(keep(world, stage.campaign, counted(10, 17_700, 1, 2_300))).text

    assert "The groups are not as planned" in page


def test_money_is_claimed_once_somebody_said_what_a_buyer_is_worth(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    address = keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))
    before = signed_in(client).get(address).text

    answer = client.post(
        address + "/worth",
        data={"csrf_token": csrf_of(client, address), "margin": "45.00", "redemption": "6", "sending": ""},
        follow_redirects=True,
    )

    assert "No money is claimed" in before
    assert "+TRY 3,510.00" in answer.text.replace("\xa0", " ")


def test_an_amount_that_cannot_be_read_is_said_beside_its_field_and_kept(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    address = keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))
    signed_in(client)

    answer = client.post(address + "/worth", data={"csrf_token": csrf_of(client, address), "margin": "a lot"})

    assert 'value="a lot"' in answer.text
    assert "12.50" in answer.text


def test_who_may_only_read_is_not_asked_what_a_buyer_is_worth(client: FlaskClient, world: World, stage: Stage) -> None:
    address = keep(world, stage.campaign, counted(10, 900, 1, 100))
    reader = signed_in(client, "auditor")

    assert "What is a buyer worth?" not in reader.get(address).text
    assert reader.post(address + "/worth", data={"csrf_token": csrf_of(reader, "/account")}).status_code == 403


def test_a_cashier_sees_no_results(client: FlaskClient, world: World, stage: Stage) -> None:
    address = keep(world, stage.campaign, counted(10, 900, 1, 100))

    assert signed_in(client, "cashier").get(address).status_code == 403


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("figures", ["effect_by", "0.015", "0.002713", "0.025783"]),
        ("figures", ["planned", "20040", "", ""]),
        ("course", ["2026-11-20T11:00:00+00:00", "18000", "17995", "6000", "700"]),
        ("redeemed", ["2026-11-23", "740"]),
    ],
)
def test_each_plot_has_its_figures_for_a_spreadsheet(
    client: FlaskClient, world: World, stage: Stage, kind: str, row: list[str]
) -> None:
    address = keep(world, stage.campaign, counted(1_440, 18_000, 130, 2_000))

    answer = signed_in(client).get(f"{address}/{kind}.csv")

    assert answer.mimetype == "text/csv"
    assert row in list(csv.reader(io.StringIO(answer.text)))


def test_a_campaign_without_recipients_says_that_nobody_was_told_yet(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    page = signed_in(client).get(f"/marketing/results/{stage.campaign.public_id}")

    assert page.status_code == 200
    assert "Nobody was told yet." in page.text


def test_an_unknown_campaign_or_sheet_is_not_found(client: FlaskClient, world: World, stage: Stage) -> None:
    signed_in(client)

    assert client.get("/marketing/results/cmp_none").status_code == 404
    assert client.get(f"/marketing/results/{stage.campaign.public_id}/secrets.csv").status_code == 404


def test_more_buyers_than_there_are_would_not_have_bought_anyway(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    page = signed_in(client).get(keep(world, stage.campaign, counted(2, 15, 4, 5))).text

    assert "Buyers it brought" in page
    assert "Would have bought anyway" not in page


def test_visits_of_too_few_people_are_not_compared(client: FlaskClient, world: World, clock: MovableClock) -> None:
    stage = Stage(world, people=0, metric="visits")
    with world.database.unit_of_work() as session:
        factories.staff(session, "marketer")
    address = keep(world, stage.campaign, counted(90, 95, 0, 5))
    clock.advance(days=9)

    page = signed_in(client).get(address).text

    assert "Too few people to compare: nobody can know what it changed." in page
    assert "It worked" not in page


def test_of_uses_on_very_many_days_the_last_ones_are_shown_and_all_are_summed(
    client: FlaskClient, world: World, stage: Stage
) -> None:
    found = counted(20, 900, 1, 100, redeemed_by_day={"2026-09-01": 5, "2026-11-20": 700, "2026-11-23": 740})

    page = " ".join(signed_in(client).get(keep(world, stage.campaign, found)).text.split())

    rows = re.findall(r"<tr>(.*?)</tr>", page[page.index('id="went"') :])
    cells = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert ["25", "Sep", "0", "5"] in cells
    assert ["23", "Nov", "740", "1,445"] in cells
    assert len([row for row in cells if row[1:2] == ["Sep"]]) == 6
