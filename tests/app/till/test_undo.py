"""Undo: by the same cashier at the same store within ten minutes, later by a manager, once."""

import re

from flask import Flask

from app.cards.models import Store
from app.staff.models import Staff
from tests import factories
from tests.app.till.conftest import Shop, Till


def newest(shop: Shop) -> str:
    return shop.entries()[0].id


def earned(till: Till, shop: Shop, amount: str = "120") -> str:
    till.done(till.earn(shop.card, amount))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
    return newest(shop)


def test_the_last_action_is_undone_by_one_press(till: Till, shop: Shop) -> None:
    earned(till, shop)
    page = till.client.get("/till").text
    entry = re.search(r'name="entry" value="([^"]+)">\s*<button[^>]*data-undo', page)
    assert entry

    done = till.done(till.undo(entry[1]))

    assert shop.balance() == 100
    assert "−12 <span>points</span>" in done
    assert "data-undo" not in till.client.get("/till").text


def test_a_reward_comes_back(till: Till, shop: Shop) -> None:
    till.done(till.redeem(shop.card, reward=shop.reward.public_id))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    till.done(till.undo(newest(shop)))

    assert shop.balance() == 100


def test_undoing_twice_is_a_conflict_and_pressing_twice_is_not(till: Till, shop: Shop) -> None:
    entry = earned(till, shop)
    first = till.undo(entry, key="same")

    assert till.undo(entry, key="same").location == first.location
    again = till.undo(entry)
    assert again.status_code == 409
    assert "undone already" in again.text
    assert shop.balance() == 100


def test_after_ten_minutes_only_a_manager_undoes(till: Till, manager_till: Till, shop: Shop) -> None:
    entry = earned(till, shop)
    shop.world.clock.advance(minutes=10)  # type: ignore[attr-defined]
    assert "data-undo" not in till.client.get("/till").text

    refused = till.undo(entry)
    assert refused.status_code == 403
    assert "needs a manager" in refused.text
    assert shop.balance() == 112

    assert f'name="entry" value="{entry}"' in manager_till.client.get(f"/till/cards/{shop.card.serial}").text
    manager_till.done(manager_till.undo(entry))
    assert shop.balance() == 100


def test_a_colleague_cannot_undo(app: Flask, till: Till, shop: Shop) -> None:
    entry = earned(till, shop)
    with shop.world.database.unit_of_work() as session:
        bob = factories.staff(session, "cashier", email="bob@example.com", store=session.get_one(Store, shop.store.id))

    assert Till(app, bob).undo(entry).status_code == 403
    assert shop.balance() == 112


def test_the_same_cashier_at_another_store_cannot_undo(app: Flask, till: Till, shop: Shop) -> None:
    entry = earned(till, shop)
    with shop.world.database.unit_of_work() as session:
        session.get_one(Staff, shop.cashier.id).store_id = shop.other_store.id

    assert till.undo(entry).status_code == 403
    assert shop.balance() == 112


def test_undoing_what_was_spent_meanwhile_is_asked_first(till: Till, shop: Shop) -> None:
    entry = earned(till, shop)
    till.done(till.redeem(shop.card, points="105"))

    asked = till.undo(entry)
    assert asked.status_code == 200
    assert "5 of these points are spent already" in asked.text
    assert shop.balance() == 7

    page = till.done(till.undo(entry, confirmed="yes"))
    assert shop.balance() == 0
    assert "5 points are owed" in page
    assert "5 points are owed" in till.client.get(f"/till/cards/{shop.card.serial}").text


def test_what_is_not_there_cannot_be_undone(till: Till, shop: Shop) -> None:
    for entry in ["", "txn_unknown", "x\x00", "a" * 500, "'--", "İ"]:
        assert till.undo(entry).status_code == 404


def test_another_programme_s_entry_is_not_there(till: Till, manager_till: Till, shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        card = factories.card(session, factories.programme(session, slug="other", name="Other"))
        owner = factories.staff(session, "owner")
    theirs = Till(manager_till.client.application, owner)
    theirs.send("/till/store", place=card.programme.public_id)
    foreign = theirs.earn(card, "50").location.partition("done=")[2]

    assert manager_till.undo(foreign).status_code == 404
    assert shop.balance(card) == 5
    assert "New balance" not in manager_till.client.get(f"/till?done={foreign}").text


def test_an_undo_cannot_be_undone(till: Till, shop: Shop) -> None:
    earned(till, shop)
    till.done(till.undo(newest(shop)))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]

    assert till.undo(newest(shop)).status_code == 409


def test_the_last_five_actions_are_listed_newest_first(till: Till, shop: Shop) -> None:
    for amount in ("10", "20", "30", "40", "50", "60"):
        earned(till, shop, amount)

    page = till.client.get("/till").text

    listed = re.findall(r"<span>Purchase TRY\s(\d+)\.00<span", page)
    assert listed == ["60", "50", "40", "30", "20"]
