"""Forgetting a person: the ledger keeps its sums, and nothing new is booked on their accounts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.cards.models import Card
from app.counter import leaving, returns
from app.counter.adjusting import Person, Wish, ask
from app.counter.moves import Actor
from app.errors import Conflict
from app.ledger import held as holding
from app.ledger import service as ledger
from app.ledger import verify
from app.ledger.booking import Circumstance
from app.ledger.models import Account
from app.world import World
from tests.app.counter.shop import TILL, CornerShop
from tests.conftest import MovableClock

SUPPORT = Person(by=Actor(name="staff:deniz", channel="page"), role="support")


def forget(shop: CornerShop) -> bool:
    return shop.do(lambda s: leaving.erase(s, cards.lock(s, shop.card.id), now=shop.world.clock()))


def test_the_ledger_keeps_its_sums_and_the_accounts_are_closed(any_world: World) -> None:
    shop = CornerShop(any_world)
    shop.sell(250_00)
    with any_world.database.reading() as session:
        before = ledger.totals(session)

    assert forget(shop)

    with any_world.database.reading() as session:
        assert ledger.totals(session) == before
        accounts = session.scalars(select(Account).where(Account.member_id == shop.card.member_id)).all()
        assert accounts
        assert all(account.closed for account in accounts)
        assert verify.differences(session) == []
    assert not forget(shop)


def test_an_entry_for_a_closed_account_is_refused_before_the_database_has_to(any_world: World) -> None:
    shop = CornerShop(any_world)
    shop.sell(250_00)
    forget(shop)
    by = Circumstance(actor="staff:ece", channel="till", now=any_world.clock(), version=9)

    with pytest.raises(Conflict) as caught:
        shop.do(lambda s: ledger.spend(s, holding.by_id(s, shop.card.id), 10, by=by, kind="redeem"))

    assert (caught.value.status, caught.value.code) == (409, "account_closed")
    assert shop.on() == 25


def correct(shop: CornerShop) -> None:
    wish = Wish(unit="points", units=5, reason="counted")
    shop.do(lambda s: ask(s, s.get_one(Card, shop.card.id), wish, SUPPORT, now=shop.world.clock()))


@pytest.mark.parametrize("book", [lambda shop: shop.sell(10_00), correct], ids=["sale", "correction"])
def test_an_erased_card_takes_nothing_at_any_door(any_world: World, book: Callable[[CornerShop], object]) -> None:
    shop = CornerShop(any_world)
    shop.sell(250_00)
    forget(shop)

    with pytest.raises(Conflict) as caught:
        book(shop)

    assert caught.value.code == "card_not_active"
    assert shop.on() == 25


def test_goods_may_come_back_after_their_buyer_was_forgotten(any_world: World, clock: MovableClock) -> None:
    shop = CornerShop(any_world)
    entry = shop.sell(250_00).entry
    forget(shop)
    clock.advance(seconds=int(timedelta(hours=1).total_seconds()))

    shop.do(lambda s: returns.reverse(s, entry.id, reason="returned", by=TILL, now=clock(), store=shop.store))

    assert shop.on() == 0
