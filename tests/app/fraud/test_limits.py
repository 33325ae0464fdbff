"""Limits at the counter: what is refused is written down, what looks odd is told, a false alarm is dismissed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Programme
from app.counter import sales
from app.counter.moves import Actor
from app.errors import AppError, Conflict, Forbidden, Unprocessable
from app.fraud import rules, service
from app.fraud.models import Notice
from app.world import World
from tests import factories
from tests.app.counter.shop import CornerShop
from tests.conftest import MovableClock

ECE, CAN = Actor(name="staff:stf_ece", channel="till"), Actor(name="staff:stf_can", channel="till")


class Guarded(CornerShop):
    """A shop with limits, whose refusals are kept as its doors keep them."""

    def __init__(self, world: World, **limits: Any) -> None:
        super().__init__(world)
        with world.database.unit_of_work() as session:
            session.get_one(Programme, self.programme.id).limits = limits

    def buy(self, *, by: Actor = ECE, card: Any = None, amount: int = 10_000) -> tuple[str, ...]:
        card = card or self.card
        with self.world.database.unit_of_work() as session:
            return sales.earn(session, card, self.sale(amount), by=by, now=self.world.clock()).warnings

    def notices(self) -> list[str]:
        with self.world.database.reading() as session:
            return sorted(one.kind for one in service.open_notices(session, self.programme.id))


@pytest.mark.parametrize("limit", ["card_per_hour", "card_per_day"])
def test_a_card_that_earns_too_often_is_refused_and_a_manager_is_told_once(any_world: World, limit: str) -> None:
    shop = Guarded(any_world, **{limit: 2})
    shop.buy()
    shop.buy()

    for _ in range(2):
        with pytest.raises(Conflict, match="limit_reached"):
            shop.buy()

    assert (shop.on(), shop.notices()) == (20, ["card_limit"])


def test_an_hour_later_the_card_may_earn_again(any_world: World, clock: MovableClock) -> None:
    shop = Guarded(any_world, card_per_hour=1)
    shop.buy()
    clock.advance(minutes=61)

    shop.buy()

    assert shop.on() == 20


@pytest.mark.parametrize("limit", [{"person_per_hour": 2}, {"person_points_per_hour": 20}])
def test_a_person_at_the_till_has_a_limit_that_others_do_not_share(any_world: World, limit: dict[str, int]) -> None:
    shop = Guarded(any_world, **limit)
    shop.buy()
    shop.buy()

    with pytest.raises(Conflict, match="limit_reached"):
        shop.buy()
    shop.buy(by=CAN)

    assert (shop.on(), shop.notices()) == (30, ["staff_limit"])


def test_a_store_has_a_limit_for_all_its_tills(any_world: World) -> None:
    shop = Guarded(any_world, store_per_hour=1)
    shop.buy()

    with pytest.raises(Conflict, match="limit_reached"):
        shop.buy(by=CAN)

    assert shop.notices() == ["store_limit"]


def test_nobody_gives_points_to_their_own_card(any_world: World) -> None:
    shop = Guarded(any_world)
    shop.do(lambda s: service.link_card(s, shop.card.id, ECE.name, by="staff:m", now=any_world.clock()))

    with pytest.raises(Forbidden, match="own_card"):
        shop.buy()
    shop.buy(by=CAN)

    assert (shop.on(), shop.notices()) == (10, ["own_card"])


def test_many_sales_and_many_tills_in_a_day_are_told_and_booked(any_world: World) -> None:
    shop = Guarded(any_world)

    for number in range(6):
        shop.buy(by=Actor(name=f"staff:stf_{number % 4}", channel="till"))

    assert (shop.on(), shop.notices()) == (60, ["many_earns", "many_tills"])


def test_a_sale_after_hours_is_told(any_world: World, clock: MovableClock) -> None:
    shop = Guarded(any_world, open_from="08:00", open_to="22:00")
    shop.buy()
    assert shop.notices() == []

    clock.at = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)  # 22:30 in Istanbul
    shop.buy()

    assert shop.notices() == ["after_hours"]


def test_a_second_sale_within_minutes_is_said_to_the_cashier(any_world: World, clock: MovableClock) -> None:
    shop = Guarded(any_world)

    first = shop.buy()
    clock.advance(minutes=9)
    second = shop.buy()
    clock.advance(minutes=11)

    assert (first, second, shop.buy()) == ((), ("soon_again",), ())


def test_a_false_alarm_is_dismissed_with_a_reason_and_once(any_world: World) -> None:
    shop = Guarded(any_world, card_per_hour=1)
    shop.buy()
    with pytest.raises(Conflict):
        shop.buy()
    with any_world.database.reading() as session:
        name = session.scalars(select(Notice.public_id)).one()

    def dismiss(because: str) -> None:
        shop.do(
            lambda s: service.dismiss(s, shop.programme.id, name, because=because, by="staff:m", now=any_world.clock())
        )

    with pytest.raises(Unprocessable, match="reason_missing"):
        dismiss(" ")
    dismiss("It was a birthday party")
    with pytest.raises(Conflict, match="already_dismissed"):
        dismiss("Again")

    assert shop.notices() == []


def test_another_programme_s_notice_is_nobody_s(any_world: World) -> None:
    shop = Guarded(any_world)
    with any_world.database.unit_of_work() as session:
        other = factories.programme(session, slug="other", pass_type_identifier="pass.com.example.other")
        service.noticed(session, programme_id=other.id, kind="adjusted", once="x", actor="a", now=any_world.clock())
        name = session.scalars(select(Notice.public_id)).one()

    with pytest.raises(AppError, match="unknown_notice"):
        shop.do(
            lambda s: service.dismiss(
                s, shop.programme.id, name, because="not mine", by="staff:m", now=any_world.clock()
            )
        )


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"card_per_hour": 0}, "card_per_hour"),
        ({"card_per_hour": "5"}, "card_per_hour"),
        ({"card_per_day": True}, "card_per_day"),
        ({"open_from": "08:00"}, "open_to"),
        ({"open_from": "morning", "open_to": "22:00"}, "open_from"),
        ({"corrections": {"boss": 5}}, "corrections"),
        ({"corrections": [1]}, "corrections"),
        ({"per_minute": 3}, "per_minute"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused_by_name(raw: dict[str, Any], field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        rules.parse(raw)

    assert field in refused.value.errors
