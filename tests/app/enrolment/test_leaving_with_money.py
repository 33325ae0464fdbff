"""Nobody gives up a card that the shop owes money on."""

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
