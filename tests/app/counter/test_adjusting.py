"""Corrections by hand: within a role's limit at once, above it by a second person, each with a reason and a notice."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Card
from app.counter import adjusting
from app.counter.adjusting import Adjusted, Person, Wish
from app.counter.moves import Actor
from app.errors import AppError, Conflict, Forbidden, Unprocessable
from app.fraud.models import Adjustment, Notice
from app.ledger.models import Entry
from app.staff.models import AuditEvent
from app.world import World
from tests.app.counter.shop import CornerShop
from tests.conftest import MovableClock


def person(role: str, name: str = "") -> Person:
    return Person(by=Actor(name=f"staff:{name or role}", channel="page"), role=role)


SUPPORT, MANAGER, OPERATOR = person("support"), person("manager"), person("operator")


def ask(shop: CornerShop, units: int, by: Person = SUPPORT, *, unit: str = "points", reason: str = "counted") -> Any:
    wish = Wish(unit=unit, units=units, reason=reason)
    return shop.do(lambda s: adjusting.ask(s, s.get_one(Card, shop.card.id), wish, by, now=shop.world.clock()))


def decide(shop: CornerShop, asked: Adjusted, by: Person, *, yes: bool = True) -> Any:
    name, work = asked.adjustment.public_id, adjusting.approve if yes else adjusting.refuse
    return shop.do(lambda s: work(s, adjusting.named(s, name), by, now=shop.world.clock()))


def test_a_correction_within_the_limit_of_a_role_is_booked_at_once(any_world: World) -> None:
    shop = CornerShop(any_world)

    up, down = ask(shop, 100), ask(shop, -40)

    assert shop.on() == 60
    assert [one.done.entry.kind for one in (up, down)] == ["adjust", "adjust"]
    assert up.adjustment.state == "done"


def test_every_correction_is_told_to_managers_and_written_into_the_audit_log(any_world: World) -> None:
    shop = CornerShop(any_world)

    asked = ask(shop, 50, reason="Machine was broken")

    with any_world.database.reading() as session:
        notice = session.scalars(select(Notice)).one()
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "adjusted")).one()
    assert (notice.kind, notice.facts["units"], notice.card_id) == ("adjusted", 50, shop.card.id)
    assert (event.subject, event.reason, event.actor) == (
        f"card:{shop.card.serial}", "Machine was broken", "staff:support",
    )  # fmt: skip
    assert event.after is not None
    assert event.after["entry"] == asked.done.entry.id


def test_above_the_limit_it_waits_for_somebody_else_whose_role_may(any_world: World) -> None:
    shop = CornerShop(any_world)
    asked = ask(shop, 101)
    assert (asked.done, asked.adjustment.state, shop.on()) == (None, "waiting", 0)

    with pytest.raises(Forbidden, match="needs_second_person"):
        decide(shop, asked, SUPPORT)
    with pytest.raises(Forbidden, match="above_your_limit"):
        decide(shop, asked, person("support", "other"))
    decide(shop, asked, MANAGER)

    assert shop.on() == 101
    with pytest.raises(Conflict, match="already_decided"):
        decide(shop, asked, OPERATOR)


def test_a_refused_correction_moves_nothing(any_world: World) -> None:
    shop = CornerShop(any_world)
    asked = ask(shop, 5_000)

    with pytest.raises(Forbidden, match="needs_second_person"):
        decide(shop, asked, SUPPORT, yes=False)
    decide(shop, asked, MANAGER, yes=False)

    with pytest.raises(Conflict, match="already_decided"):
        decide(shop, asked, person("owner"))
    assert shop.on() == 0


def test_stored_value_always_takes_two(any_world: World) -> None:
    shop = CornerShop(any_world)
    asked = ask(shop, 1, person("owner"), unit="TRY")
    assert asked.done is None

    with pytest.raises(Forbidden, match="above_your_limit"):
        decide(shop, asked, MANAGER)
    decide(shop, asked, OPERATOR)

    assert shop.on("TRY") == 1


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"units": 10, "reason": "no"}, "reason_missing"),
        ({"units": 10, "reason": "   "}, "reason_missing"),
        ({"units": 10, "reason": "bad\x00one"}, "reason_missing"),
        ({"units": 10, "reason": "x" * 201}, "reason_missing"),
        ({"units": 0}, "invalid_points"),
        ({"units": 10**9 + 1}, "invalid_points"),
        ({"units": 10, "unit": "USD"}, "unknown_unit"),
        ({"units": 10, "unit": "stamp:none"}, "unknown_unit"),
        ({"units": -1}, "insufficient"),
    ],
)
def test_what_cannot_be_meant_is_refused(world: World, wish: dict[str, Any], code: str) -> None:
    shop = CornerShop(world)

    with pytest.raises(Unprocessable) as refused:
        ask(shop, **wish)

    assert refused.value.code == code
    assert refused.value.errors


def test_more_is_not_taken_than_there_is_and_the_balance_is_said(any_world: World) -> None:
    shop = CornerShop(any_world)
    ask(shop, 30)

    with pytest.raises(Unprocessable, match="insufficient") as refused:
        ask(shop, -31)

    assert refused.value.public == "Has 30, needs 31."
    assert shop.on() == 30


def test_a_cashier_corrects_nothing(world: World) -> None:
    with pytest.raises(Forbidden, match="role_too_small"):
        ask(CornerShop(world), 1, person("marketer"))


def test_what_nobody_decides_about_is_over_after_a_week(any_world: World, clock: MovableClock) -> None:
    shop = CornerShop(any_world)
    asked = ask(shop, 101)
    clock.advance(days=6)
    assert adjusting.expire_waiting(any_world) == 0
    clock.advance(days=1)

    with pytest.raises(Conflict, match="already_decided"):
        decide(shop, asked, MANAGER)
    assert (adjusting.expire_waiting(any_world), adjusting.expire_waiting(any_world)) == (1, 0)

    with any_world.database.reading() as session:
        assert session.scalars(select(Adjustment.state)).all() == ["expired"]
    assert shop.on() == 0


def test_two_who_approve_at_once_book_it_once(any_world: World) -> None:
    shop = CornerShop(any_world)
    asked = ask(shop, 400)

    def try_it(number: int) -> str:
        try:
            decide(shop, asked, person("manager", f"m{number}"))
        except AppError as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(try_it, range(8)))

    assert outcomes == {"done": 1, "already_decided": 7}
    assert shop.on() == 400
    with any_world.database.reading() as session:
        assert len(session.scalars(select(Entry.id).where(Entry.kind == "adjust")).all()) == 1


def test_a_correction_approved_too_late_for_the_balance_is_refused(any_world: World, clock: MovableClock) -> None:
    shop = CornerShop(any_world)
    ask(shop, 400, MANAGER)
    asked = ask(shop, -300)
    ask(shop, -200, MANAGER)
    clock.advance(minutes=1)

    with pytest.raises(Unprocessable, match="insufficient"):
        decide(shop, asked, OPERATOR)

    assert shop.on() == 200
    assert clock() - asked.adjustment.asked_at == timedelta(minutes=1)
