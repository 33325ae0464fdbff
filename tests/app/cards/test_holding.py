"""A card's stays in wallets: begun with its first phone, ended with its last, whatever is said twice."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cards import holding
from app.cards import service as cards
from app.cards.models import Card, Installation
from app.world import World
from tests import factories
from tests.conftest import MovableClock


def stays(session: Session, card: Card) -> list[tuple[str, bool]]:
    """(wallet, whether it is over), in the order in which they began."""
    rows = session.scalars(select(Installation).where(Installation.card_id == card.id).order_by(Installation.id))
    return [(row.wallet, row.gone_at is not None) for row in rows]


def test_each_wallet_has_stays_of_its_own_and_repeats_change_nothing(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        for _again in range(2):
            holding.installed(session, card.id, wallet="apple", now=clock())
            holding.installed(session, card.id, wallet="google", now=clock())
        for _again in range(2):
            holding.uninstalled(session, card.id, wallet="apple", now=clock.advance(days=1))

        assert stays(session, card) == [("apple", True), ("google", False)]

        gone_at = session.scalars(select(Installation.gone_at).where(Installation.wallet == "apple")).one()
        assert gone_at == clock.at.replace(day=21)  # the first time that it was said


def test_a_card_that_comes_back_begins_another_stay(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        holding.installed(session, card.id, wallet="google", now=clock())
        holding.uninstalled(session, card.id, wallet="google", now=clock.advance(days=1))
        holding.installed(session, card.id, wallet="google", now=clock.advance(days=1))

        assert stays(session, card) == [("google", True), ("google", False)]


def test_with_the_person_every_stay_ends(any_world: World, clock: MovableClock) -> None:
    with any_world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session))
        holding.installed(session, card.id, wallet="apple", now=clock())
        holding.installed(session, card.id, wallet="google", now=clock())

        cards.erase(session, card.member, now=clock.advance(days=1))

        assert [is_over for _wallet, is_over in stays(session, card)] == [True, True]
