"""Money on a card: what goes on, off and back, to the unit."""

from typing import Any

import pytest
from sqlalchemy import select

from app.cards import service as cards
from app.counter import leaving
from app.errors import AppError, Conflict, Unprocessable
from app.ledger.models import Lot
from app.value import limits, pins, stock
from app.world import World
from tests import factories
from tests.app.value.counter import Purse


def refused(code: str, work: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        work()
    assert caught.value.code == code
    return caught.value


def test_load_500_pay_320_50_refund_100_of_it_leaves_279_50(any_world: World) -> None:
    purse = Purse.open(any_world)

    purse.load(500_00)
    paid = purse.pay(320_50)
    assert purse.balance() == 179_50
    purse.refund(paid.entry, 100_00)

    assert purse.balance() == 279_50
    assert purse.balance(unit="points") == 0  # neither loading nor paying earns: the sale does
    found = purse.liability()
    assert (found.loaded, found.paid, found.refunded, found.outstanding) == (500_00, 320_50, 100_00, 279_50)
    assert found.is_exact


def test_refunds_in_parts_sum_to_the_payment_and_no_more(world: World) -> None:
    purse = Purse.open(world)
    purse.load(100_00)
    paid = purse.pay(100_00).entry

    for _part in range(3):
        purse.refund(paid, 33_33)
    refused("exceeds_original", lambda: purse.refund(paid, 2))
    purse.refund(paid)  # the last cent

    assert purse.balance() == 100_00
    refused("already_reversed", lambda: purse.refund(paid, 1))


def test_loading_is_no_payment_and_is_not_refunded_as_one(world: World) -> None:
    purse = Purse.open(world)

    loaded = purse.load(10_00).entry

    refused("not_a_payment", lambda: purse.refund(loaded))


@pytest.mark.parametrize(
    ("minor", "reference", "currency", "code"),
    [
        (500_00, "", "TRY", "funding_reference_missing"),
        (500_00, "   ", "TRY", "funding_reference_missing"),
        (500_00, "x" * 101, "TRY", "invalid_funding_reference"),
        (500_00, "bad\x07bell", "TRY", "invalid_funding_reference"),
        (-1, "R", "TRY", "invalid_amount"),
        (0, "R", "TRY", "invalid_amount"),
        (10_000_01, "R", "TRY", "over_limit"),
        (500_00, "R", "EUR", "currency_mismatch"),
    ],
)
def test_a_wrong_load_is_refused_and_changes_nothing(
    world: World, minor: int, reference: str, currency: str, code: str
) -> None:
    purse = Purse.open(world)

    refused(code, lambda: purse.load(minor, reference, currency=currency))

    assert purse.balance() == 0


def test_a_card_holds_no_more_than_the_limit_however_many_loads_bring_it(world: World) -> None:
    purse = Purse.open(world)
    purse.load(10_000_00, "R1")

    refused("over_limit", lambda: purse.load(1, "R2"))

    assert purse.balance() == 10_000_00


def test_the_limit_is_the_programmes_own(world: World) -> None:
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        limits.change(session, purse.programme, limits.parse({"load_limit": "50.00"}, "TRY"), now=world.clock())

    refused("over_limit", lambda: purse.load(50_01))
    purse.load(50_00)

    assert purse.balance() == 50_00


def test_a_reference_loads_once_on_whichever_card(any_world: World) -> None:
    purse = Purse.open(any_world)
    with any_world.database.unit_of_work() as session:
        other = stock.issue(session, purse.programme, "gift", source="test", now=any_world.clock())
    purse.load(10_00, "BANK 1")

    refused("duplicate_funding_reference", lambda: purse.load(10_00, "BANK 1"))
    refused("duplicate_funding_reference", lambda: purse.load(10_00, " BANK  1 ", card=other))

    assert (purse.balance(), purse.balance(other)) == (10_00, 0)


def test_more_than_there_is_is_offered_in_part(world: World) -> None:
    purse = Purse.open(world)
    purse.load(179_50)

    offer = refused("partial_offered", lambda: purse.pay(320_50))
    assert offer.errors["payable"] == "179.50"
    paid = purse.pay(320_50, in_part=True)

    assert paid.entry.points == -179_50
    assert purse.balance() == 0
    refused("insufficient", lambda: purse.pay(1, in_part=True))


def test_a_payment_in_another_currency_is_refused(world: World) -> None:
    purse = Purse.open(world)
    purse.load(100_00)

    refused("currency_mismatch", lambda: purse.pay(10_00, currency="USD"))


def test_loaded_money_never_expires(world: World) -> None:
    purse = Purse.open(world)

    purse.load(100_00)

    with world.database.reading() as session:
        assert session.scalars(select(Lot.expires_at)).all() == [None]


def test_what_is_waived_or_paid_out_is_owed_no_more(world: World) -> None:
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        other = stock.issue(session, purse.programme, "gift", source="test", now=world.clock())
    purse.load(30_00, "R1")
    purse.load(12_00, "R2", card=other)

    purse.settle("paid_out")
    purse.settle("waived", card=other)

    found = purse.liability()
    assert (found.loaded, found.paid_out, found.waived, found.outstanding) == (42_00, 30_00, 12_00, 0)
    assert found.is_exact
    refused("nothing_to_settle", lambda: purse.settle("paid_out"))
    refused("invalid_settlement", lambda: purse.settle("burned"))


def test_nobody_is_forgotten_who_is_owed_money(world: World) -> None:
    purse = Purse.open(world)
    with world.database.unit_of_work() as session:
        card = factories.card(session, purse.programme)
    purse.load(30_00, card=card)

    with pytest.raises(Conflict) as caught, world.database.unit_of_work() as session:
        leaving.erase(session, cards.lock(session, card.id), now=world.clock())
    assert (caught.value.code, caught.value.errors) == ("stored_value_left", {"balance": "30.00"})
    purse.settle("paid_out", card=card)
    with world.database.unit_of_work() as session:
        assert leaving.erase(session, cards.lock(session, card.id), now=world.clock())

    assert purse.balance(card) == 0


def test_a_large_payment_needs_the_pin(world: World) -> None:
    purse, pin = guarded(world)

    refused("pin_needed", lambda: purse.pay(500_01))
    purse.pay(500_00)
    purse.pay(500_01, pin=pin)

    assert purse.balance() == 2_000_00 - 1_000_01


def test_five_wrong_pins_lock_large_payments_until_there_is_a_new_one(world: World) -> None:
    purse, pin = guarded(world)
    wrong = "0" if pin != "0" else "1"
    for left in (4, 3, 2, 1, 0):
        refusal = refused("wrong_pin", lambda: committing(purse, 600_00, wrong))
        assert f"{left} tries" in refusal.public

    refused("pin_locked", lambda: committing(purse, 600_00, pin))
    purse.pay(10_00)
    new = give_pin(purse)
    purse.pay(600_00, pin=new)

    assert purse.balance() == 2_000_00 - 610_00


def test_a_right_pin_forgives_the_wrong_ones_before_it(world: World) -> None:
    purse, pin = guarded(world)
    for _round in range(2):
        for _wrong in range(4):
            refused("wrong_pin", lambda: committing(purse, 501_00, "1"))
        purse.pay(501_00, pin=pin)

    assert purse.balance() == 2_000_00 - 1_002_00


@pytest.mark.parametrize("pin", ["12", "123456789", "abcd", "1111", "12 4"])
def test_a_weak_pin_is_refused(world: World, pin: str) -> None:
    purse = Purse.open(world)

    refused("invalid_pin", lambda: give_pin(purse, pin))


def test_a_card_without_a_pin_pays_small_sums_only(world: World) -> None:
    purse = Purse.open(world)
    purse.load(2_000_00)

    refused("no_pin", lambda: purse.pay(501_00, pin="123456"))


@pytest.mark.parametrize(
    ("typed", "field"),
    [({"load_limit": "0"}, "load_limit"), ({"pin_above": "-1"}, "pin_above"), ({"bearer_cap": "1.234"}, "bearer_cap")],
)
def test_limits_that_make_no_sense_are_refused(typed: dict[str, str], field: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        limits.parse(typed, "TRY")

    assert set(caught.value.errors) == {field}


def guarded(world: World) -> tuple[Purse, str]:
    purse = Purse.open(world)
    purse.load(2_000_00)
    return purse, give_pin(purse)


def give_pin(purse: Purse, pin: str | None = None) -> str:
    with purse.world.database.unit_of_work() as session:
        kept = stock.kept(session, purse.card.id, purse.programme.id)
        return pins.give(session, kept, purse.card.serial, pin)


def committing(purse: Purse, minor: int, pin: str) -> None:
    """Pay as a door does: what a refusal says to keep is kept."""
    refusals: list[AppError] = []
    with purse.world.database.unit_of_work() as session:
        try:
            purse.pay_in(session, minor, pin)
        except AppError as refusal:
            if not refusal.commits:
                raise
            refusals.append(refusal)
    if refusals:
        raise refusals[0]
