"""Cards that take a share off, a share that grows with what was spent, and money for later."""

from typing import Any

import pytest

from app.cards import people
from app.cards import service as cards
from app.counter import returns, sales, swapping
from app.counter.moves import Done
from app.counter.pricing import Priced, Sale
from app.counter.sales import Sold
from app.counter.swapping import Bound, Owner
from app.earning import service as rules
from app.earning.sale import Line
from app.ledger import expiry, held
from app.ledger.reversals import Returned
from app.value import bonus, limits, stock
from app.world import World
from tests import factories
from tests.app.value.counter import BY, Purse
from tests.app.value.test_stored_value import refused
from tests.conftest import MovableClock

PROGRESSIVE = {
    "kind": "discount",
    "name": "Regulars",
    "bands": [
        {"from": "0", "percent": "0"},
        {"from": "1000.00", "percent": "3"},
        {"from": "5000.00", "percent": "5"},
        {"from": "15000.00", "percent": "7"},
    ],
}
TEN_OFF = {
    "kind": "discount", "name": "Neighbours", "bands": [{"from": "0", "percent": "10"}],
    "only": {"categories": ["coffee"]},
}  # fmt: skip
FIVE_LATER = {"kind": "bonus_money", "name": "For later", "percent": "5", "expires_days": 30}


def shop(world: World, *wanted: dict[str, Any], kind: str = "loyalty") -> Purse:
    """A programme with these rules and a card of a kind."""
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        rules.publish(
            session, purse.programme, {"rules": list(wanted)}, starts_at=None, note="", by="staff:x", now=world.clock()
        )
        if kind == "loyalty":
            purse.card = factories.card(session, purse.programme)
        else:
            purse.card = stock.issue(session, purse.programme, kind, source="test", now=world.clock())
    return purse


def sale(minor: int, category: str = "", **more: Any) -> Sale:
    lines = (Line(number=1, amount_minor=minor, category=category),) if category else ()
    return Sale(amount_minor=minor, currency="TRY", lines=lines, **more)


def buy(purse: Purse, minor: int, category: str = "") -> Sold:
    world = purse.world
    return world.database.transact(lambda s: sales.earn(s, purse.card, sale(minor, category), by=BY, now=world.clock()))


def quoted(purse: Purse, minor: int, category: str = "") -> Priced:
    world = purse.world
    return world.database.transact(lambda s: sales.quote(s, purse.card, sale(minor, category), now=world.clock()))


def give_back(purse: Purse, entry_id: str, returned: Returned) -> Done:
    world = purse.world
    return world.database.transact(
        lambda s: returns.reverse(s, entry_id, reason="back", by=BY, now=world.clock(), returned=returned)
    )


def bind(purse: Purse, name: str, **contact: str) -> Bound:
    owner = Owner(person=people.checked(name, **contact), language="en")
    world = purse.world
    return world.database.transact(lambda s: swapping.bind(s, purse.card.id, owner, by=BY, now=world.clock()))


@pytest.mark.parametrize(("spent", "off"), [(999_99, 0), (1_000_00, 9_00), (1_000_01, 9_00)])
def test_the_rate_is_that_of_all_that_was_spent_before(any_world: World, spent: int, off: int) -> None:
    purse = shop(any_world, PROGRESSIVE)
    buy(purse, spent)

    assert quoted(purse, 300_00).quote.discount_minor == off


def test_a_sale_that_passes_an_edge_has_the_old_rate_and_the_next_the_new_one(any_world: World) -> None:
    purse = shop(any_world, PROGRESSIVE)
    buy(purse, 1_000_00)
    buy(purse, 4_020_62)  # 120.62 off: 4,900.00 are spent

    sold = buy(purse, 300_00)

    assert (sold.card.spent_minor - 291_00, sold.priced.quote.discount_minor) == (4_900_00, 9_00)
    assert quoted(purse, 300_00).quote.discount_minor == 15_00


def test_a_bearer_card_takes_its_share_off_what_it_is_for(world: World) -> None:
    purse = shop(world, TEN_OFF, kind="bearer")

    assert quoted(purse, 50_00, "coffee").quote.discount_minor == 5_00
    assert quoted(purse, 50_00, "tobacco").quote.discount_minor == 0


def test_a_bearer_card_gives_no_more_than_its_cap_in_a_year(any_world: World, clock: MovableClock) -> None:
    purse = shop(any_world, TEN_OFF, kind="bearer")
    with any_world.database.unit_of_work() as session:
        limits.change(session, purse.programme, limits.parse({"bearer_cap": "12.00"}, "TRY"), now=clock())

    first, second = buy(purse, 100_00, "coffee"), buy(purse, 100_00, "coffee")

    assert [one.priced.quote.discount_minor for one in (first, second)] == [10_00, 2_00]
    assert {"code": "discount_cap"} in second.priced.reasons
    assert quoted(purse, 100_00, "coffee").quote.discount_minor == 0
    clock.advance(days=60)  # another year
    assert quoted(purse, 100_00, "coffee").quote.discount_minor == 10_00


def test_a_return_gives_the_years_discount_back_exactly(world: World) -> None:
    purse = shop(world, {**TEN_OFF, "only": {}}, kind="bearer")
    with world.database.unit_of_work() as session:
        limits.change(session, purse.programme, limits.parse({"bearer_cap": "10.00"}, "TRY"), now=world.clock())
    sold = buy(purse, 100_00)
    assert quoted(purse, 100_00).quote.discount_minor == 0

    give_back(purse, sold.entry.id, Returned(amount_minor=33_33))
    assert quoted(purse, 100_00).quote.discount_minor == 3_70
    give_back(purse, sold.entry.id, Returned())

    assert quoted(purse, 100_00).quote.discount_minor == 10_00


def test_a_stopped_bearer_card_gives_nothing(world: World) -> None:
    purse = shop(world, TEN_OFF, kind="bearer")
    with world.database.unit_of_work() as session:
        card = cards.lock(session, purse.card.id)
        stock.block(session, card, reason="copied", by="staff:x", now=world.clock())

    refused("card_not_active", lambda: quoted(purse, 50_00, "coffee"))


def test_a_bearer_card_that_becomes_somebodys_keeps_points_spend_and_history(any_world: World) -> None:
    purse = shop(
        any_world, {"kind": "amount", "name": "Points", "points": 1, "per": "10.00"}, PROGRESSIVE, kind="bearer"
    )
    sold = buy(purse, 2_500_00)

    bound = bind(purse, "Ayşe Yılmaz", email="ayse@example.com")

    assert not bound.is_merged
    with any_world.database.reading() as session:
        card = held.by_id(session, purse.card.id)
        assert (card.kind, card.balance, card.spent_minor) == ("loyalty", 250, 2_500_00)
        assert card.tier is not None
        assert card.tier.name == "Silver"
    give_back(purse, sold.entry.id, Returned())
    assert purse.balance() == 0
    refused("already_personal", lambda: bind(purse, "Somebody"))


def test_a_bearer_card_of_somebody_known_goes_into_the_card_they_have(any_world: World) -> None:
    purse = shop(any_world, {"kind": "amount", "name": "Points", "points": 1, "per": "10.00"}, kind="bearer")
    with any_world.database.unit_of_work() as session:
        own = factories.card(session, purse.programme, email="ayse@example.com")
    buy(purse, 2_500_00)
    purse.load(40_00)

    bound = bind(purse, "Ayşe Yılmaz", email="ayse@example.com")

    assert (bound.is_merged, bound.card.number, bound.card.spent_minor) == (True, own.number, 2_500_00)
    assert (purse.balance(own), purse.balance()) == (40_00, 0)
    with any_world.database.reading() as session:
        card = held.by_id(session, own.id)
        assert (card.balance, card.tier.name if card.tier else None) == (250, "Silver")
        assert held.by_id(session, purse.card.id).status == "voided"
    refused("void_card", lambda: purse.pay(1_00))
    refused("void_card", lambda: bind(purse, "Somebody"))


def test_a_card_without_anything_is_bound_and_replaced_too(world: World) -> None:
    purse = shop(world, TEN_OFF, kind="bearer")
    with world.database.unit_of_work() as session:
        own = factories.card(session, purse.programme, email="ayse@example.com")
        new = swapping.replace_card(session, purse.card.id, by=BY, now=world.clock(), reason="torn").card
        purse.card = new

    assert bind(purse, "Ayşe Yılmaz", email="ayse@example.com").card.id == own.id

    assert purse.balance() == 0


def test_a_gift_card_earns_nothing(world: World) -> None:
    purse = shop(world, {"kind": "amount", "name": "Points", "points": 1, "per": "10.00"}, kind="gift")

    refused("gift_card", lambda: buy(purse, 50_00))


def test_a_load_that_was_undone_may_load_again_and_one_that_was_spent_is_not_undone(world: World) -> None:
    purse = Purse.open(world)
    loaded = purse.load(50_00, "BANK 7").entry
    give_back(purse, loaded.id, Returned())
    assert purse.balance() == 0

    again = purse.load(50_00, "BANK 7").entry
    purse.pay(1)
    refused("insufficient", lambda: give_back(purse, again.id, Returned()))

    assert purse.balance() == 49_99
    assert purse.liability().loaded == 50_00


def test_a_share_of_a_sale_becomes_money_that_pays_a_third_of_a_basket_at_most(any_world: World) -> None:
    purse = shop(any_world, FIVE_LATER)
    buy(purse, 1_000_00)
    assert purse.balance(unit="bonus:TRY") == 50_00

    offer = refused("partial_offered", lambda: purse.pay_bonus(40_00, 100_00))
    paid = purse.pay_bonus(40_00, 100_00, in_part=True)

    assert offer.errors["payable"] == "30.00"
    assert paid.entry.points == -30_00
    assert purse.balance(unit="bonus:TRY") == 20_00


def test_one_receipt_takes_no_more_than_the_share_however_often_it_asks(world: World) -> None:
    purse = shop(world, {**FIVE_LATER, "max_share": "10"})
    buy(purse, 1_000_00)

    paid = purse.pay_bonus(8_00, 100_00, receipt="R7")
    purse.pay_bonus(5_00, 100_00, receipt="R7", in_part=True)
    refused("insufficient", lambda: purse.pay_bonus(1, 100_00, receipt="R7"))
    purse.refund(paid.entry, 3_00)
    purse.pay_bonus(3_00, 100_00, receipt="R7")

    assert purse.balance(unit="bonus:TRY") == 40_00


def test_bonus_money_comes_back_with_the_day_that_it_had_and_dies_on_it(world: World, clock: MovableClock) -> None:
    purse = shop(world, FIVE_LATER)
    buy(purse, 1_000_00)
    paid = purse.pay_bonus(20_00, 100_00)
    purse.refund(paid.entry)

    clock.advance(days=31)
    with world.database.unit_of_work() as session:
        card = held.by_id(session, purse.card.id)
        assert expiry.cards_with_expired(session, now=clock(), after=0, limit=10) == [card.id]

    assert purse.balance(unit="bonus:TRY") == 50_00


@pytest.mark.parametrize(
    ("minor", "basket", "code"),
    [(10_01, 10_00, "invalid_basket"), (0, 10_00, "invalid_amount"), (1, 3, "insufficient")],
)
def test_a_wrong_payment_with_bonus_money_is_refused(world: World, minor: int, basket: int, code: str) -> None:
    purse = shop(world, FIVE_LATER)
    buy(purse, 1_000_00)

    refused(code, lambda: purse.pay_bonus(minor, basket))


def test_a_card_without_bonus_money_pays_nothing_with_it(world: World) -> None:
    purse = shop(world, FIVE_LATER)

    refused("insufficient", lambda: purse.pay_bonus(1, 100_00, in_part=True))
    assert bonus.share_of(()) == bonus.USUAL_SHARE
