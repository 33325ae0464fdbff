"""What members save for: chosen, shown on the card, and with a longer life for the points where the reward says so."""

from datetime import UTC, datetime, timedelta

from app.counter import timekeeping, visiting
from app.ledger import expiry, held
from app.rewards import catalogue, goals
from app.rewards.catalogue import RewardDraft
from app.rewards.models import Reward
from app.wallets.view import card_views
from app.world import World
from tests.app.rewards.stall import TILL, Stall, fresh, refusal


def choose(stall: Stall, reward: Reward) -> None:
    def work(session: object) -> None:
        card = held.by_id(session, stall.card.id)  # type: ignore[arg-type]
        visiting.choose_goal(session, card, fresh(session, reward), by=TILL, now=stall.now)  # type: ignore[arg-type]

    stall.work(work)


def ladder(stall: Stall) -> list[tuple[datetime | None, int]]:
    with stall.world.database.reading() as session:
        return expiry.ladder(session, stall.card.member_id, "points")


def test_a_card_shows_what_it_saves_for(any_world: World) -> None:
    stall = Stall(any_world, points=640)
    reward = stall.offer(name="Tent", points=1_000)

    choose(stall, reward)

    with any_world.database.reading() as session:
        view = card_views(session, [stall.card.id], stall.now)[stall.card.id]
    assert view.goal is not None
    assert (view.goal.name, view.balance, view.goal.points, view.version) == ("Tent", 640, 1_000, 3)


def test_another_goal_takes_the_place_of_the_first_and_none_ends_it(world: World) -> None:
    stall = Stall(world)
    first, second = stall.offer(), stall.offer(name="Cake")
    choose(stall, first)
    choose(stall, second)

    with world.database.reading() as session:
        chosen = goals.of_card(session, stall.card.id)
    stall.work(lambda s: visiting.drop_goal(s, held.by_id(s, stall.card.id), now=stall.now))

    assert chosen is not None
    assert chosen[1].public_id == second.public_id
    with world.database.reading() as session:
        assert goals.of_card(session, stall.card.id) is None


def test_points_that_are_saved_for_a_goal_live_until_its_day_is_over(any_world: World) -> None:
    stall = Stall(any_world)
    soon, far = stall.now + timedelta(days=2), stall.now + timedelta(days=900)
    stall.give(100, expires_at=soon)
    stall.give(50, expires_at=far)
    reward = stall.offer(name="Tent", points=1_000, goal_days=30)

    choose(stall, reward)

    until = datetime(2026, 12, 20, 21, tzinfo=UTC)  # the end of 20 December in Istanbul
    assert ladder(stall) == [(until, 100), (far, 50)]


def test_points_that_are_earned_later_are_kept_too_however_late_the_sweep_is(any_world: World) -> None:
    stall = Stall(any_world)
    choose(stall, stall.offer(name="Tent", points=1_000, goal_days=30))
    stall.give(70, expires_at=stall.now + timedelta(days=5))
    stall.clock.advance(days=10)

    assert timekeeping.expire_lots(any_world) == 0
    assert visiting.keep_goals(any_world) == 0
    assert stall.has() == 70
    stall.clock.advance(days=30)
    timekeeping.expire_lots(any_world)

    assert stall.has() == 0


def test_a_goal_is_something_that_points_buy(world: World) -> None:
    stall = Stall(world)
    gift = stall.offer(points=None, about="Three cakes")

    assert refusal(lambda: choose(stall, gift)).code == "not_eligible"


def test_rewards_come_onto_the_cards_and_leave_them_at_their_times_once(any_world: World) -> None:
    stall = Stall(any_world)
    starts = stall.now + timedelta(hours=1)
    stall.offer(name="Early", starts_at=starts, ends_at=starts + timedelta(hours=1))

    def shown() -> tuple[int, list[str]]:
        turned = stall.work(lambda s: catalogue.turn_windows(s, now=stall.now))
        with any_world.database.reading() as session:
            return turned, [one.name for one in catalogue.for_points(session, stall.programme.id)]

    assert shown() == (0, [])
    stall.clock.advance(hours=1)
    assert [shown(), shown()] == [(1, ["Early"]), (0, ["Early"])]
    stall.clock.advance(hours=1)
    assert [shown(), shown()] == [(1, []), (0, [])]


def test_a_stock_is_moved_beside_the_tills_and_never_set_over_them(any_world: World) -> None:
    stall = Stall(any_world, points=500)
    reward = stall.offer(stock=5)
    stall.redeem(reward)

    left = stall.work(lambda s: catalogue.restock(s, fresh(s, reward), by=10))
    below = refusal(lambda: stall.work(lambda s: catalogue.restock(s, fresh(s, reward), by=-15)))
    over = refusal(lambda: stall.work(lambda s: catalogue.count_stock(s, fresh(s, reward), stock=99)))

    assert (left, below.code, over.code, stall.row(reward).stock) == (14, "out_of_stock", "stock_counted", 14)


def test_what_cannot_be_a_reward_is_refused_field_by_field(world: World) -> None:
    stall = Stall(world)
    soon = stall.now + timedelta(hours=1)
    for wrong, field in (
        ({"name": " "}, "name"),
        ({"points": 0}, "points"),
        ({"points": None}, "points"),
        ({"kind": "money"}, "kind"),
        ({"kind": "discount"}, "value"),
        ({"value_minor": 0}, "value"),
        ({"kind": "discount", "value_minor": 10, "max_share": 101}, "max_share"),
        ({"max_share": 50}, "max_share"),
        ({"flexible": True}, "flexible"),
        ({"limit_total": 0}, "limit_total"),
        ({"stock": -1}, "stock"),
        ({"starts_at": soon, "ends_at": soon}, "ends_at"),
        ({"ends_at": stall.now}, "ends_at"),
        ({"stores": [999]}, "stores"),
        ({"no_show": "shout"}, "no_show"),
        ({"unit": "TRY"}, "unit"),
        ({"goal_days": 0}, "goal_days"),
    ):
        refused = refusal(lambda w=wrong: stall.offer(**w))  # type: ignore[misc]
        assert (refused.code, field in refused.errors) == ("invalid_reward", True), wrong
    assert RewardDraft(name="x").points is None
