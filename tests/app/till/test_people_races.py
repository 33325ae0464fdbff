"""Two at once, on both databases: one PIN for two people, wrong PINs in parallel, and one approval sent twice."""

import threading
from collections.abc import Callable, Sequence

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.errors import AppError, Unprocessable
from app.staff import pins
from app.staff.guards import identity_of
from app.staff.models import Staff, StaffPin
from app.till.desk import Desk
from app.till.models import Approval
from app.till.people.approvals import place_of
from app.world import World
from tests import factories
from tests.app.till.conftest import Shop, Till

MANAGER = "730516"


@pytest.fixture
def world(any_world: World) -> World:
    """Everything here runs on both databases."""
    return any_world


@pytest.fixture
def colleague(shop: Shop) -> Staff:
    with shop.world.database.unit_of_work() as session:
        return factories.staff(session, "cashier", email="colleague@example.com", store=shop.store)


def at_once(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def test_two_who_choose_one_pin_at_once_do_not_both_get_it(shop: Shop, colleague: Staff) -> None:
    refused: list[str] = []

    def choose(staff: Staff) -> None:
        try:
            pins.set_own(shop.world, staff.id, "5170", password=factories.PASSWORD)
        except Unprocessable as refusal:
            refused.append(refusal.code)

    at_once([lambda: choose(shop.cashier), lambda: choose(colleague)])

    with shop.world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(StaffPin)) == 1
    assert refused == ["pin_taken"]


def test_wrong_pins_in_parallel_are_all_counted(shop: Shop) -> None:
    pins.set_own(shop.world, shop.manager.id, MANAGER, password=factories.PASSWORD)
    place = place_of(Desk(who=identity_of(shop.cashier), programme=shop.programme, store=shop.store))
    told: list[str] = []

    def guess() -> None:
        wrong = pins.Guess(staff=shop.manager.public_id, pin="0000", place=place, terminal="t", actor="staff:x")
        try:
            pins.check(shop.world, wrong)
        except AppError as refusal:
            told.append(refusal.code)

    at_once([guess] * 8)

    assert sorted(told) == ["pin_locked"] * 3 + ["wrong_pin"] * 5


def test_an_approval_that_is_sent_twice_at_once_books_one_sale(app: Flask, shop: Shop) -> None:
    pins.set_own(shop.world, shop.manager.id, MANAGER, password=factories.PASSWORD)
    tills = [Till(app, shop.cashier), Till(app, shop.cashier)]
    word = {"key": "k-1", "approver": shop.manager.public_id, "approver_pin": MANAGER}
    answers: list[str | None] = []

    at_once([lambda till=till: answers.append(till.earn(shop.card, "12000", **word).location) for till in tills])

    assert len(set(answers)) == 1
    assert answers[0] is not None
    assert len(shop.entries()) == 2
    with shop.world.database.reading() as session:
        assert session.scalars(select(Approval)).one().used_at is not None
