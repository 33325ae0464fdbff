"""Rewards at the counter: prices, clamps, limits, stock, and what comes back, on both databases."""

from datetime import timedelta

import pytest

from app.cards import service as cards
from app.cards.models import Card, Member, Tier
from app.earning.sale import NEVER_EARN
from app.errors import AppError
from app.ledger.models import Entry
from app.rewards import catalogue
from app.rewards.models import RewardDay
from app.world import World
from tests import factories
from tests.app.rewards.stall import Stall, refusal


def test_w13_a_discount_uses_only_as_many_points_as_the_basket_has_use_for(any_world: World) -> None:
    stall = Stall(any_world, points=3_000)
    reward = stall.offer(kind="discount", points=1, value_minor=10, flexible=True, max_share=50)

    done = stall.redeem(reward, basket_minor=2_000)

    assert (done.taking.units, done.taking.value_minor) == (100, 1_000)
    assert stall.has() == 2_900


def test_a_member_can_use_fewer_points_than_fit(any_world: World) -> None:
    stall = Stall(any_world, points=3_000)
    reward = stall.offer(kind="discount", points=10, value_minor=100, flexible=True, max_share=50)

    done = stall.redeem(reward, basket_minor=2_000, points=37)

    assert (done.taking.units, done.taking.value_minor, done.balance) == (30, 300, 2_970)


@pytest.mark.parametrize(
    ("basket", "asked", "code", "says"),
    [
        (None, None, "basket_needed", "say what the purchase costs"),
        (19, None, "min_spend", "Needs 0.20, basket 0.19."),
        (2_000, 4_000, "done", ""),
    ],
)
def test_edges_of_a_share_of_the_basket(
    world: World, basket: int | None, asked: int | None, code: str, says: str
) -> None:
    stall = Stall(world, points=3_000)
    reward = stall.offer(kind="discount", points=1, value_minor=10, flexible=True, max_share=50)

    if code == "done":
        assert stall.redeem(reward, basket_minor=basket, points=asked).taking.units == 100
    else:
        refused = refusal(lambda: stall.redeem(reward, basket_minor=basket, points=asked))
        assert (refused.code, says in refused.public) == (code, True)
        assert stall.has() == 3_000


def test_a_fixed_discount_takes_off_no_more_than_its_share(world: World) -> None:
    stall = Stall(world, points=500)
    reward = stall.offer(kind="discount", value_minor=1_000, max_share=30)

    done = stall.redeem(reward, basket_minor=1_999)

    assert (done.taking.units, done.taking.value_minor) == (100, 599)


def test_below_the_least_basket_the_sentence_says_both_amounts(world: World) -> None:
    stall = Stall(world, points=500)
    reward = stall.offer(min_spend_minor=5_000)

    refused = refusal(lambda: stall.redeem(reward, basket_minor=4_200))

    assert (refused.status, refused.code, refused.public) == (409, "min_spend", "Needs 50.00, basket 42.00.")
    assert stall.redeem(reward, basket_minor=5_000).balance == 400


def test_what_is_missing_is_said_with_the_balance(any_world: World) -> None:
    stall = Stall(any_world, points=80)
    reward = stall.offer(stock=1)

    refused = refusal(lambda: stall.redeem(reward))

    assert (refused.status, refused.code, refused.public) == (422, "insufficient", "Has 80, needs 100.")
    assert stall.row(reward).stock == 1


def test_a_reward_for_vouchers_takes_a_voucher(world: World) -> None:
    stall = Stall(world)
    stall.give(2, unit="voucher:stp_1")
    reward = stall.offer(unit="voucher:stp_1", points=1, stock=1)

    done = stall.redeem(reward)

    assert stall.has(unit="voucher:stp_1") == 1
    stall.undo(done)
    assert (stall.has(unit="voucher:stp_1"), stall.row(reward).stock) == (2, 1)


def test_the_last_piece_is_given_and_the_next_one_is_sold_out(any_world: World) -> None:
    stall = Stall(any_world, points=1_000)
    reward = stall.offer(stock=2)
    stall.redeem(reward)
    stall.redeem(reward)

    refused = refusal(lambda: stall.redeem(reward))

    assert (refused.status, refused.code) == (409, "out_of_stock")
    assert (stall.has(), stall.row(reward).stock, stall.row(reward).used) == (800, 0, 2)


@pytest.mark.parametrize(
    "limit", [{"limit_per_member": 1}, {"limit_per_member_day": 1}, {"limit_total": 1}, {"limit_per_day": 1}]
)
def test_each_limit_is_reached_and_free_again_after_an_undo(any_world: World, limit: dict[str, int]) -> None:
    stall = Stall(any_world, points=1_000)
    reward = stall.offer(**limit)
    first = stall.redeem(reward)

    refused = refusal(lambda: stall.redeem(reward))
    stall.undo(first)

    assert (refused.status, refused.code) == (409, "limit_reached")
    assert stall.redeem(reward).balance == 900


def test_limits_of_a_day_begin_anew_at_midnight_of_the_programme(world: World) -> None:
    stall = Stall(world, points=1_000)
    reward = stall.offer(limit_per_member_day=1, limit_per_day=1)
    stall.redeem(reward)
    stall.clock.advance(hours=10, minutes=59)  # 13:00 in Istanbul, then 23:59

    assert refusal(lambda: stall.redeem(reward)).code == "limit_reached"
    stall.clock.advance(minutes=1)

    assert stall.redeem(reward).balance == 800


def test_a_limit_of_a_day_that_is_set_at_noon_counts_the_morning(world: World) -> None:
    stall = Stall(world, points=1_000)
    reward = stall.offer()
    stall.redeem(reward)
    stall.redeem(reward)
    with world.database.unit_of_work() as session:
        row = session.merge(reward)
        draft = catalogue.RewardDraft(name="Coffee", points=100, limit_per_day=3)
        catalogue.change(session, session.merge(stall.programme), row, draft, now=stall.now)

    stall.redeem(reward)

    assert refusal(lambda: stall.redeem(reward)).code == "limit_reached"


def test_a_limit_counts_each_member_by_themselves(world: World) -> None:
    stall = Stall(world, points=100)
    reward, other = stall.offer(limit_per_member=1), stall.member(100)

    stall.redeem(reward)

    assert stall.redeem(reward, other).balance == 0


def test_before_its_start_and_after_its_end_a_reward_is_refused(world: World) -> None:
    stall = Stall(world, points=1_000)
    starts = stall.now + timedelta(hours=1)
    reward = stall.offer(starts_at=starts, ends_at=starts + timedelta(hours=1))

    assert refusal(lambda: stall.redeem(reward)).code == "not_started"
    stall.clock.advance(hours=1)
    assert stall.redeem(reward).balance == 900
    stall.clock.advance(hours=1)
    assert refusal(lambda: stall.redeem(reward)).code == "ended"


def test_stores_and_tiers_of_a_reward_are_looked_at(world: World) -> None:
    stall = Stall(world, points=1_000)
    with world.database.unit_of_work() as session:
        elsewhere = factories.store(session, session.merge(stall.programme), "Moda")
        gold = session.query(Tier).filter_by(name="Gold").one()
    here, for_gold = stall.offer(stores=[elsewhere.id]), stall.offer(tiers=[gold.id])

    assert refusal(lambda: stall.redeem(here)).code == "wrong_store"
    assert refusal(lambda: stall.redeem(for_gold)).code == "not_eligible"


def test_a_gift_on_a_condition_looks_at_the_basket_if_the_till_tells(world: World) -> None:
    stall = Stall(world)
    bag = stall.offer(
        kind="gift", name="Bag", points=None, about="3 lipsticks", needs_pieces=3, needs_product="lipstick", stock=1
    )

    refused = refusal(lambda: stall.redeem(bag, pieces={"lipstick": 2, "soap": 5}))
    done = stall.redeem(bag, pieces={"lipstick": 3})

    assert (refused.code, refused.public) == ("condition_not_met", "Needs 3 pieces, basket has 2.")
    assert (done.taking.units, done.balance, done.entry.kind) == (0, 0, "offer")
    assert refusal(lambda: stall.redeem(bag, pieces={"lipstick": 3})).code == "out_of_stock"


def test_a_gift_is_handed_out_at_one_scan_and_not_after_its_end(world: World) -> None:
    stall = Stall(world)
    bag = stall.offer(
        kind="gift", points=None, about="3 lipsticks", pick_up=True, ends_at=stall.now + timedelta(days=1)
    )
    first, second = stall.redeem(bag), stall.redeem(bag)

    stall.collect(first)

    assert refusal(lambda: stall.collect(first)).code == "already_used"
    stall.clock.advance(days=1)
    assert refusal(lambda: stall.collect(second)).code == "ended"


def test_a_donation_is_as_large_as_the_member_says_and_is_summed(world: World) -> None:
    stall = Stall(world, points=1_000)
    cause = stall.offer(kind="donation", name="Trees", points=1, value_minor=5, flexible=True)
    stall.redeem(cause, points=250)
    stall.undo(stall.redeem(cause, points=100))
    stall.redeem(cause, points=50)

    with world.database.reading() as session:
        total = catalogue.totals(session, [cause.id])[cause.id]

    assert (total.times, total.units, total.value_minor) == (2, 300, 1_500)
    assert refusal(lambda: stall.redeem(cause)).code == "invalid_points"


def test_undoing_gives_back_points_stock_and_limits_once(any_world: World) -> None:
    stall = Stall(any_world, points=100)
    reward = stall.offer(stock=1, limit_total=1, limit_per_day=1)
    done = stall.redeem(reward)

    stall.undo(done)
    again = refusal(lambda: stall.undo(done))

    assert again.code == "already_reversed"
    row = stall.row(reward)
    assert (stall.has(), row.stock, row.used, stall.state(done)) == (100, 1, 0, "returned")
    with any_world.database.reading() as session:
        assert session.query(RewardDay.used).scalar() == 0


def test_a_line_that_was_paid_with_a_reward_earns_nothing() -> None:
    assert {"reward", "discount"} <= set(NEVER_EARN)


def test_no_card_but_an_active_one_gets_anything(world: World) -> None:
    stall = Stall(world, points=100)
    reward = stall.offer()
    with world.database.unit_of_work() as session:
        cards.erase(session, session.get_one(Member, stall.card.member_id), now=stall.now)

    refused = refusal(lambda: stall.redeem(reward))

    assert (refused.status, refused.code) == (409, "card_not_active")


def test_an_entry_names_its_reward(world: World) -> None:
    stall = Stall(world, points=100)
    reward = stall.offer()

    done = stall.redeem(reward)

    entry = stall.row(done.entry)
    assert isinstance(entry, Entry)
    assert (entry.note, entry.points, entry.store_id) == (f"reward:{reward.public_id}", -100, stall.store.id)


def test_of_a_refused_reward_nothing_is_left(any_world: World) -> None:
    stall = Stall(any_world, points=100)
    reward = stall.offer(stock=3, limit_per_day=2)
    stall.redeem(reward)

    for _ in range(3):
        with pytest.raises(AppError):
            stall.redeem(reward)

    assert (stall.row(reward).stock, stall.row(reward).used) == (2, 1)
    assert isinstance(stall.row(stall.card), Card)
