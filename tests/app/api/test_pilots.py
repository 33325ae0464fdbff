"""Pilots over the API where what was sent must not be taken for something else: empty lists, days of other ages."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.offers.models import Offer
from app.world import World
from tests.app.api.conftest import Api, problem
from tests.app.api.test_results import body
from tests.app.pilots.chain import Chain


@pytest.fixture
def api(client: FlaskClient, key_for: Callable[..., str]) -> Api:
    return Api(client=client, key=key_for("write"))


@pytest.fixture
def chain(world: World) -> Chain:
    return Chain(world)


def stores_of(world: World, offer: Offer) -> list[int]:
    with world.database.reading() as session:
        found: list[int] = session.get_one(Offer, offer.id).stores
        return found


@pytest.mark.parametrize("sent", [{"stores": []}, {"regions": []}, {"stores": [], "regions": []}])
def test_widening_to_lists_that_name_no_store_is_refused(
    api: Api, chain: Chain, world: World, sent: dict[str, Any]
) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    made = api.post("/pilots", body(chain, offer.public_id)).get_json()

    answer = api.post(f"/pilots/{made['id']}/widen", sent)

    problem(answer, 422, "unknown_store")
    assert "Name the stores" in answer.text
    assert api.get(f"/pilots/{made['id']}").get_json()["state"] == "open"
    assert stores_of(world, offer) == offer.stores


def test_widening_without_lists_is_to_all_stores(api: Api, chain: Chain, world: World) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    made = api.post("/pilots", body(chain, offer.public_id)).get_json()

    answer = api.post(f"/pilots/{made['id']}/widen", {})

    assert (answer.status_code, answer.get_json()["outcome"]) == (200, {"stores": None})
    assert stores_of(world, offer) == []


def test_an_empty_list_beside_one_that_names_stores_takes_nothing_from_it(api: Api, chain: Chain, world: World) -> None:
    offer = chain.offer("Kadıköy", "Moda")
    made = api.post("/pilots", body(chain, offer.public_id)).get_json()

    answer = api.post(f"/pilots/{made['id']}/widen", {"stores": [], "regions": ["Ege"]})

    assert answer.status_code == 200, answer.text
    assert stores_of(world, offer) == sorted(one.id for one in chain.some("Kadıköy", "Moda", "Alsancak", "Konak"))


@pytest.mark.parametrize("days", [("9999-06-01", "9999-12-31"), ("0001-01-01", "0001-01-05")])
def test_a_pilot_in_another_age_is_refused_and_the_others_can_be_read(
    api: Api, chain: Chain, days: tuple[str, str]
) -> None:
    sent = body(chain, chain.offer("Kadıköy", "Moda").public_id, starts_on=days[0], ends_on=days[1])

    answer = api.post("/pilots", sent)

    problem(answer, 422, "invalid_pilot")
    assert set(answer.get_json()["errors"]) == {"starts_on", "ends_on"}
    assert api.get("/pilots").get_json()["items"] == []


def test_whoever_was_told_by_the_copy_of_a_campaign_is_served_at_their_till(api: Api, chain: Chain) -> None:
    card = chain.member("Beşiktaş")
    offer = chain.offer("Kadıköy", "Moda")
    campaign = chain.launched("Kadıköy", "Moda", offer=offer)
    made = api.post("/pilots", body(chain, campaign, kind="campaign")).get_json()

    outcome = api.post(f"/pilots/{made['id']}/widen", {}).get_json()["outcome"]

    sent = {"offer": offer.public_id, "store": chain.stores["Beşiktaş"].public_id}
    served = api.post(f"/cards/{card.number}/redeem", sent)
    assert (outcome["waits"], outcome["offer"]) == ("", offer.public_id)
    assert served.status_code == 201, served.text
