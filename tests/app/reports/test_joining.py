"""Members' cards: a gift card is nobody's, in a wallet or out of it."""

from fractions import Fraction

from app.cards import holding
from app.cards.models import Card
from app.reports import building
from app.world import World
from tests import factories
from tests.app.reports.reading import cell, figure, read
from tests.conftest import MovableClock


def test_gift_and_bearer_cards_are_no_members_cards(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        programme = factories.programme(session, now=clock())
        home = factories.store(session, programme)
        cards: list[Card] = []
        for kind in ("loyalty", "loyalty", "gift", "gift", "bearer"):
            card = factories.card(session, programme, kind.title(), now=clock())
            card.kind = kind
            card.member.home_store_id = home.id
            cards.append(card)
        for card in cards[1:]:
            holding.installed(session, card.id, wallet="apple", now=clock())
    clock.advance(hours=1)
    building.build(any_world)

    for store in (None, home.public_id):
        members = read(any_world, programme, "members", first="2026-11-01", store=store)
        assert figure(members, "installed") == cell(members, "installed") == 1
        assert figure(members, "install_rate") == Fraction(1, 2)
    tiers = read(any_world, programme, "tiers").outcome.picture
    assert tiers is not None
    assert sum(tiers.series[0].values) == 2  # type: ignore[arg-type, misc]

    clock.advance(days=30)
    building.build(any_world)
    november = read(any_world, programme, "members", first="2026-11-01")
    assert cell(november, "installed", row=0) == 1, "in the table that was built, too"
