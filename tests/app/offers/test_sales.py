"""Offers used with a purchase: what they take off and give, borne by the lines, and taken back with them."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.errors import Conflict, Unprocessable
from app.ledger.models import Entry
from app.world import World
from tests import factories
from tests.app.counter.shop import line
from tests.app.offers.desk import Desk, budget
from tests.conftest import MovableClock

COFFEE, CAKE = line(1, 6_000, product="coffee", quantity=2), line(2, 4_000, product="cake")


def test_a_share_comes_off_the_purchase_and_points_are_earned_on_the_rest(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "20"})

    quoted = desk.quote(10_000, offers=(offer.public_id,))
    sold = desk.use(offer)

    assert (quoted.off_minor, quoted.paid_minor, quoted.quote.points) == (2_000, 8_000, 8)
    assert (sold.priced.paid_minor, sold.entry.amount_minor, sold.entry.points) == (8_000, 8_000, 8)
    (use,) = desk.uses(offer)
    assert (use.cost_minor, use.points, use.sale_id) == (2_000, 0, sold.entry.id)
    assert (desk.on(), desk.now_of(offer).used) == (8, 1)


@pytest.mark.parametrize(
    ("kind", "terms", "off", "points"),
    [
        ("amount", {"amount": "25.00"}, 2_500, 7),
        ("amount", {"amount": "25.00", "at_most": "10.00"}, 1_000, 9),
        ("amount", {"amount": "500.00"}, 10_000, 0),
        ("percent", {"percent": "33.3", "at_most": "12.34"}, 1_234, 8),
        ("percent", {"percent": "100"}, 10_000, 0),
        ("percent", {"percent": "50", "products": ["cake"]}, 2_000, 8),
        ("product", {"products": ["coffee"]}, 3_000, 7),
        ("product", {"products": ["coffee", "cake"], "pieces": 2, "percent": "50"}, 3_000, 7),
        ("multiplier", {"factor": "2.5"}, 0, 25),
        ("multiplier", {"factor": "2", "products": ["cake"]}, 0, 14),
        ("bonus", {"points": 50}, 0, 60),
        ("gift", {"gift": "Tote bag", "cost": "12.00"}, 0, 10),
        ("text", {}, 0, 10),
    ],
)
def test_each_kind_does_what_it_says_line_by_line(
    world: World, kind: str, terms: dict[str, object], off: int, points: int
) -> None:
    desk = Desk(world)
    offer = desk.offer(kind=kind, terms=terms)

    quoted = desk.quote(0, COFFEE, CAKE, offers=(offer.public_id,))
    sold = desk.sell(0, COFFEE, CAKE, offers=(offer.public_id,))

    assert (quoted.off_minor, quoted.quote.points) == (off, points)
    assert (sold.priced.off_minor, sold.entry.points) == (off, points)
    with world.database.reading() as session:
        lines = session.get_one(Entry, sold.entry.id).lines
        assert sum(one.amount_minor for one in lines) == 10_000 - off
        assert sum(one.points for one in lines) == points
        assert all(one.amount_minor >= 0 for one in lines)


def test_returned_lines_give_back_exactly_what_was_paid_and_earned_for_them(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(
        kind="percent", terms={"percent": "15", "products": ["coffee"]}, limit_per_card=1,
        budgets=[budget("money", "all", 100_000), budget("uses", "day", 5)],
    )  # fmt: skip
    sold = desk.sell(0, COFFEE, CAKE, offers=(offer.public_id,))
    assert sold.entry.amount_minor == 9_100

    one_coffee = desk.take_back(sold.entry, {1: 1})
    assert one_coffee.entry.amount_minor == -2_550
    assert desk.used_of(offer) == {("money", "all"): 900, ("uses", "day"): 1}, "a part gives no use back"
    with pytest.raises(Conflict, match="already_used"):
        desk.sell(0, COFFEE, offers=(offer.public_id,))

    rest = desk.take_back(sold.entry)
    assert rest.entry.amount_minor == -6_550
    assert desk.on() == 0
    assert desk.used_of(offer) == {("money", "all"): 0, ("uses", "day"): 0}
    assert desk.now_of(offer).used == 0
    assert desk.sell(0, COFFEE, offers=(offer.public_id,)).priced.off_minor == 900


def test_a_purchase_that_is_undone_gives_uses_and_budgets_back_once(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(
        kind="amount", terms={"amount": "25.00"}, limit_per_card=1, limit_total=1,
        budgets=[budget("money", "all", 2_500), budget("uses", "month", 10), budget("uses", "store_day", 3)],
    )  # fmt: skip
    sold = desk.use(offer)
    assert desk.used_of(offer) == {("money", "all"): 2_500, ("uses", "month"): 1, ("uses", "store_day"): 1}

    desk.take_back(sold.entry)
    with pytest.raises(Conflict, match="already_reversed"):
        desk.take_back(sold.entry)

    assert desk.used_of(offer) == {("money", "all"): 0, ("uses", "month"): 0, ("uses", "store_day"): 0}
    assert (desk.now_of(offer).used, desk.uses(offer), desk.on()) == (0, [], 0)


def test_the_use_itself_cannot_be_undone_apart_from_its_purchase(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "20"})
    desk.use(offer)
    with any_world.database.reading() as session:
        part = session.scalars(select(Entry).where(Entry.kind == "offer")).one()

    with pytest.raises(Conflict, match="not_reversible"):
        desk.take_back(part)


def test_of_several_offers_the_best_single_one_counts_and_what_goes_with_any_other_is_added(world: World) -> None:
    desk = Desk(world)
    ten = desk.offer(title="Ten", kind="percent", terms={"percent": "10"})
    twenty = desk.offer(title="Twenty", kind="percent", terms={"percent": "20"})
    with_any = desk.offer(title="Five off", kind="amount", terms={"amount": "5.00"}, combines="all")
    names = (ten.public_id, twenty.public_id, with_any.public_id)

    sold = desk.sell(10_000, offers=names)

    did = {one.offer.title: (one.off_minor, one.refusal.code if one.refusal else None) for one in sold.priced.bargains}
    assert did == {"Ten": (0, "not_combined"), "Twenty": (2_000, None), "Five off": (500, None)}
    assert (len(desk.uses(ten)), len(desk.uses(twenty)), len(desk.uses(with_any))) == (0, 1, 1)


@pytest.mark.parametrize(("percent", "used"), [("10", "Ten"), ("40", "Alone")])
def test_an_offer_that_stands_alone_is_used_alone_or_not_at_all(world: World, percent: str, used: str) -> None:
    desk = Desk(world)
    ten = desk.offer(title="Ten", kind="percent", terms={"percent": "30"})
    alone = desk.offer(title="Alone", kind="percent", terms={"percent": percent}, combines="alone")

    sold = desk.sell(10_000, offers=(ten.public_id, alone.public_id))

    took = [one.offer.title for one in sold.priced.bargains if one.refusal is None]
    assert took == ["Ten" if used == "Ten" else "Alone"]


def test_points_and_money_offers_are_kept_apart_in_what_they_cost(world: World) -> None:
    desk = Desk(world)
    money = desk.offer(title="M", kind="amount", terms={"amount": "20.00"})
    points = desk.offer(title="P", kind="multiplier", terms={"factor": "3"}, combines="all")

    sold = desk.sell(10_000, offers=(money.public_id, points.public_id))

    assert sold.entry.points == 24
    assert [(one.cost_minor, one.points) for one in (*desk.uses(money), *desk.uses(points))] == [(2_000, 0), (0, 16)]


def test_an_offer_that_cannot_be_used_refuses_the_purchase_and_nothing_is_booked(any_world: World) -> None:
    desk = Desk(any_world)
    fine = desk.offer(kind="percent", terms={"percent": "10"}, combines="all")
    dear = desk.offer(kind="amount", terms={"amount": "10.00", "minimum": "50.00"}, combines="all")

    quoted = desk.quote(4_200, offers=(fine.public_id, dear.public_id))
    with pytest.raises(Conflict, match=r"Needs 50\.00, basket 42\.00") as refused:
        desk.sell(4_200, offers=(fine.public_id, dear.public_id))

    assert refused.value.code == "min_spend"
    assert "offers.1" in refused.value.errors
    assert [one.refusal.code if one.refusal else None for one in quoted.bargains] == [None, "min_spend"]
    assert (desk.on(), desk.uses(fine), desk.uses(dear)) == (0, [], [])


def test_offers_of_others_and_offers_that_are_none_are_refused_by_name(world: World) -> None:
    desk = Desk(world)
    with world.database.unit_of_work() as session:
        other = factories.programme(session, slug="tea")
    foreign = desk.offer(programme=other, kind="percent", terms={"percent": "10"})

    for name in (foreign.public_id, "off_nothing"):
        with pytest.raises(Unprocessable, match="unknown_offer"):
            desk.sell(1_000, offers=(name,))


def test_the_same_offer_named_twice_is_used_once(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="amount", terms={"amount": "5.00"}, combines="all")

    sold = desk.sell(10_000, offers=(offer.public_id, offer.public_id))

    assert (sold.priced.off_minor, len(desk.uses(offer))) == (500, 1)


def test_gift_cards_and_tips_get_nothing_off_and_count_for_no_minimum(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="percent", terms={"percent": "50", "minimum": "40.00"})
    load, cake = line(1, 10_000, kind="gift_card"), line(2, 4_000, product="cake")

    sold = desk.sell(0, load, cake, offers=(offer.public_id,))

    assert sold.priced.off_minor == 2_000
    assert desk.tried(offer, 0) == "invalid_amount"


def test_an_offer_is_judged_by_the_server_s_time_not_by_the_till_s(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "20"}, ends_at=clock() + timedelta(hours=1))
    before = clock()
    clock.advance(hours=2)
    desk.tick()

    assert desk.tried(offer, occurred_at=before) == "ended"


def test_a_multiplier_that_makes_no_whole_point_is_not_used_up(world: World) -> None:
    desk = Desk(world)
    tag = desk.offer(kind="multiplier", terms={"factor": "2"}, limit_per_card=1)

    assert desk.tried(tag, 400) == "adds_nothing"
    assert desk.uses(tag) == []
