"""Money on the customer's page: shown, and settled before the card is given up."""

from flask.testing import FlaskClient

from app.cards.models import Card
from app.world import World
from tests import factories
from tests.app.pages import csrf_of
from tests.app.value.counter import Purse


def test_a_card_with_money_is_given_up_after_it_is_settled(client: FlaskClient, world: World) -> None:
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        card = factories.card(session, purse.programme)
    page = f"/c/{card.link}/leave"
    token = csrf_of(client, page)
    purse.load(30_00, card=card)

    asked, refused = client.get(page), client.post(page, data={"csrf_token": token})

    assert (asked.status_code, refused.status_code) == (200, 409)
    assert all("30.00" in one.text and "danger" not in one.text for one in (asked, refused))
    purse.settle("paid_out", card=card)
    assert client.post(page, data={"csrf_token": token}).status_code == 200
    with world.database.reading() as session:
        assert session.get_one(Card, card.id).status == "erased"
    assert client.post(page, data={"csrf_token": token}).status_code == 200


def test_the_page_of_a_gift_card_shows_its_money_and_no_points(client: FlaskClient, world: World) -> None:
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        own = factories.card(session, purse.programme)
    purse.load(250_00)
    purse.load(40_00, "R2", card=own)

    gift, member = (client.get(f"/c/{card.link}?lang=en").text for card in (purse.card, own))

    assert "250.00" in gift
    assert "Offers for you" not in gift
    assert "40.00" in member
    assert "Offers for you" in member
