"""The pages of pilots: begun by choosing stores, read with an interval or without, widened or stopped by a button."""

import csv
import io
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.offers.models import Offer
from app.pilots.models import Pilot
from app.world import World
from tests import factories
from tests.app.marketing.results.test_pages import signed_in
from tests.app.pages import csrf_of
from tests.app.pilots.chain import Chain

LIST = "/marketing/pilots"
NEW = "/marketing/pilots/new"


@pytest.fixture
def chain(world: World) -> Chain:
    made = Chain(world)
    with world.database.unit_of_work() as session:
        factories.staff(session, "marketer")
        factories.staff(session, "auditor")
    return made


@pytest.fixture
def marketer(client: FlaskClient, chain: Chain) -> FlaskClient:
    return signed_in(client)


def fields(chain: Chain, offer: Offer, **arms: str) -> dict[str, str]:
    chosen = arms or {"Kadıköy": "pilot", "Moda": "pilot", "Konak": "control", "Alsancak": "control"}
    return {
        "name": "Tea in Marmara", "subject": f"offer:{offer.public_id}", "starts_on": "2026-11-10",
        "ends_on": "2026-12-07", **{f"store_{chain.stores[name].public_id}": arm for name, arm in chosen.items()},
    }  # fmt: skip


def kept(world: World) -> list[Pilot]:
    with world.database.reading() as session:
        return list(session.scalars(select(Pilot)))


def purchases(chain: Chain) -> None:
    for store, before, during in (("Kadıköy", 26, 31), ("Moda", 24, 30), ("Konak", 27, 29), ("Alsancak", 25, 26)):
        chain.days(store, chain.starts_on - timedelta(days=14), 100, repeaters=before)
        chain.days(store, chain.starts_on, 100, repeaters=during)


def test_without_anything_to_try_the_page_says_what_to_do_first(marketer: FlaskClient, chain: Chain) -> None:
    assert "Nothing is being tried" in marketer.get(LIST).text
    assert "Nothing holds in some stores only" in marketer.get(NEW).text


def test_a_pilot_is_begun_and_read_with_its_interval(marketer: FlaskClient, chain: Chain, world: World) -> None:
    purchases(chain)
    offer = chain.offer("Kadıköy", "Moda")
    marketer.get(NEW)

    answer = marketer.post(
        NEW, data={"csrf_token": csrf_of(marketer, NEW), **fields(chain, offer)}, follow_redirects=True
    )

    assert "The pilot is being compared" in answer.text
    assert "Repeat purchase rate: Higher: between +1.0 and +7.0 percentage points." in answer.text
    assert "+4.0" in answer.text
    assert "Interim" in answer.text
    assert "Tea in Marmara" in marketer.get(LIST).text


def test_a_double_click_begins_one_pilot(marketer: FlaskClient, chain: Chain, world: World) -> None:
    form = {"csrf_token": csrf_of(marketer, NEW), "key": "k1", **fields(chain, chain.offer("Kadıköy", "Moda"))}

    twice = [marketer.post(NEW, data=form).location for _ in range(2)]

    assert len(kept(world)) == 1
    assert twice == [f"{LIST}/{kept(world)[0].public_id}"] * 2


def test_one_store_in_a_group_has_numbers_without_an_interval(
    marketer: FlaskClient, chain: Chain, world: World
) -> None:
    purchases(chain)
    data = fields(chain, chain.offer("Kadıköy"), Kadıköy="pilot", Konak="control")

    answer = marketer.post(NEW, data={"csrf_token": csrf_of(marketer, NEW), **data}, follow_redirects=True)

    assert "+3.0 percentage points beyond what changed elsewhere" in answer.text
    assert "there is no interval" in answer.text


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"ends_on": "2026-11-01"}, "The last day does not come before the first."),
        ({"starts_on": "soon"}, "Choose a day."),
        ({"starts_on": "0001-01-01"}, "Write the day as 2026-11-20, in the years 2000 to 2199."),
        ({"ends_on": "9999-12-31"}, "Write the day as 2026-11-20, in the years 2000 to 2199."),
        ({"name": ""}, "A pilot has a name of 1 to 100 characters."),
        ({"subject": "offer:off_none"}, "There is no off_none to try in this programme."),
        ({"subject": ""}, "Choose what is tried."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    marketer: FlaskClient, chain: Chain, world: World, over: dict[str, str], said: str
) -> None:
    data = {**fields(chain, chain.offer("Kadıköy", "Moda")), **over}

    answer = marketer.post(NEW, data={"csrf_token": csrf_of(marketer, NEW), **data})

    assert said in answer.text
    assert 'value="2026-12-07"' in answer.text or "ends_on" in over
    assert kept(world) == []


def test_no_store_chosen_is_said_beside_the_stores(marketer: FlaskClient, chain: Chain, world: World) -> None:
    data = fields(chain, chain.offer("Kadıköy"), Kadıköy="pilot")

    answer = marketer.post(NEW, data={"csrf_token": csrf_of(marketer, NEW), **data})

    assert "Choose at least one store" in answer.text


def begun(marketer: FlaskClient, chain: Chain, world: World) -> tuple[str, Offer]:
    offer = chain.offer("Kadıköy", "Moda")
    marketer.post(NEW, data={"csrf_token": csrf_of(marketer, NEW), **fields(chain, offer)})
    return f"{LIST}/{kept(world)[0].public_id}", offer


def test_one_button_widens_to_all_stores(marketer: FlaskClient, chain: Chain, world: World) -> None:
    address, offer = begun(marketer, chain, world)

    answer = marketer.post(
        f"{address}/widen", data={"csrf_token": csrf_of(marketer, address), "to": "all"}, follow_redirects=True
    )

    assert "Widened. It holds there from the next purchase on." in answer.text
    with world.database.reading() as session:
        assert session.get_one(Offer, offer.id).stores == []


def test_ticked_stores_alone_are_widened_to_and_none_is_refused(
    marketer: FlaskClient, chain: Chain, world: World
) -> None:
    address, offer = begun(marketer, chain, world)
    token = csrf_of(marketer, address)

    nothing = marketer.post(f"{address}/widen", data={"csrf_token": token, "to": "some"}, follow_redirects=True)
    unsaid = marketer.post(f"{address}/widen", data={"csrf_token": token}, follow_redirects=True)
    chosen = {"csrf_token": token, "to": "some", "store": chain.stores["Beşiktaş"].public_id}
    marketer.post(f"{address}/widen", data=chosen)

    for refused in (nothing, unsaid):
        assert "Name the stores of this programme to which it is widened." in refused.text
    with world.database.reading() as session:
        assert len(session.get_one(Offer, offer.id).stores) == 3


def test_stopping_ends_the_pilot_once(marketer: FlaskClient, chain: Chain, world: World) -> None:
    address, _ = begun(marketer, chain, world)
    token = csrf_of(marketer, address)

    first = marketer.post(f"{address}/stop", data={"csrf_token": token}, follow_redirects=True)
    second = marketer.post(f"{address}/stop", data={"csrf_token": token}, follow_redirects=True)

    assert "Stopped. What it tried holds nowhere any more." in first.text
    assert "This pilot is over" in second.text


def test_who_may_only_read_sees_no_buttons_and_changes_nothing(client: FlaskClient, chain: Chain, world: World) -> None:
    chain.begun(chain.draft(chain.offer("Kadıköy", "Moda").public_id))
    address = f"{LIST}/{kept(world)[0].public_id}"
    reader = signed_in(client, "auditor")

    assert "Widen" not in reader.get(address).text
    assert reader.post(f"{address}/stop", data={"csrf_token": csrf_of(reader, "/account")}).status_code == 403
    assert reader.get(NEW).status_code == 403


def test_the_stores_are_a_sheet_for_machines(marketer: FlaskClient, chain: Chain, world: World) -> None:
    purchases(chain)
    address, _ = begun(marketer, chain, world)

    rows = list(csv.reader(io.StringIO(marketer.get(f"{address}/stores.csv").text)))

    assert rows[0][:3] == ["store", "name", "arm"]
    assert rows[-3][:4] == ["effect", "repeat", "", "0.04"]
    kadikoy = next(row for row in rows if row[1] == "Kadıköy")
    assert kadikoy[3:] == ["100", "26", "126", "126000", "100", "31", "131", "131000"]


def test_an_unknown_pilot_is_not_found(marketer: FlaskClient, chain: Chain) -> None:
    assert marketer.get(f"{LIST}/plt_none").status_code == 404


def test_a_campaign_that_was_never_launched_is_launched_first(marketer: FlaskClient, chain: Chain) -> None:
    chain.member("Beşiktaş")
    pilot = chain.begun(chain.draft(chain.campaign("Kadıköy", "Moda"), kind="campaign"))
    address = f"{LIST}/{pilot.public_id}"

    page = marketer.post(
        f"{address}/widen", data={"csrf_token": csrf_of(marketer, address), "to": "all"}, follow_redirects=True
    ).text

    assert "This campaign was not launched yet; launch it first, then widen the pilot." in page


@pytest.mark.parametrize(
    ("approve_above", "said", "state"),
    [
        (500, "A copy of the campaign goes to the other stores.", "Scheduled"),
        (0, "a second person approves the copy first.", "Draft"),
    ],
)
def test_a_campaign_is_widened_by_one_button_and_its_copy_stands_on_the_page(
    marketer: FlaskClient, chain: Chain, approve_above: int, said: str, state: str
) -> None:
    chain.member("Beşiktaş")
    public_id = chain.launched("Kadıköy", "Moda")
    chain.approve_above(approve_above)
    pilot = chain.begun(chain.draft(public_id, kind="campaign"))
    address = f"{LIST}/{pilot.public_id}"

    page = marketer.post(
        f"{address}/widen", data={"csrf_token": csrf_of(marketer, address), "to": "all"}, follow_redirects=True
    ).text

    assert said in page
    assert state in page.split("The campaign for the other stores")[1][:400]
