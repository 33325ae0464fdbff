"""What offers may cost: taken with the purchase, warned of at 80 %, spent at 100 %, and given back once."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.cards.models import Card, Expansion, Programme
from app.counter import sales
from app.errors import AppError, Conflict, Unprocessable
from app.offers import budgets, grants
from app.offers import service as offers
from app.offers.models import Offer, OfferBudget, OfferBudgetUse
from app.webhooks import endpoints
from app.webhooks.models import Event
from app.world import World
from tests import factories
from tests.app.counter.shop import TILL
from tests.app.offers.desk import Desk, budget
from tests.conftest import MovableClock

W19 = 5_000_000  # 50 000 TRY at 25 each are 2 000 uses


def used_before(desk: Desk, offer: Offer, uses: int) -> None:
    """As if the offer had been used so often already, by others."""
    with desk.world.database.unit_of_work() as session:
        one = session.scalars(select(OfferBudget).where(OfferBudget.offer_id == offer.id)).one()
        session.merge(OfferBudgetUse(budget_id=one.id, period="", used=uses * 2_500))
        session.execute(update(Offer).where(Offer.id == offer.id).values(used=uses))


def warned_at(desk: Desk) -> Any:
    with desk.world.database.reading() as session:
        return session.scalars(select(OfferBudgetUse.warned_at)).one()


def test_w19_use_1600_warns_once(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="amount", terms={"amount": "25.00"}, budgets=[budget("money", "all", W19)])
    used_before(desk, offer, 1_598)

    assert (desk.tried(offer), warned_at(desk)) == ("", None)
    clock.advance(minutes=1)
    first = clock()
    assert (desk.tried(offer), warned_at(desk)) == ("", first), "use 1 600"
    clock.advance(minutes=1)
    assert (desk.tried(offer), warned_at(desk)) == ("", first)


def test_w19_of_two_tills_asking_for_use_2000_at_once_one_gets_it(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="amount", terms={"amount": "25.00"}, budgets=[budget("money", "all", W19)])
    used_before(desk, offer, 1_999)
    with any_world.database.unit_of_work() as session:
        programme = session.merge(desk.programme, load=False)
        cards = [factories.card(session, programme).id for _ in range(2)]
    outcomes: list[str] = []
    together = threading.Barrier(2)

    def till(card_id: int) -> None:
        sale = desk.sale(10_000, offers=(offer.public_id,))
        together.wait()
        try:
            any_world.database.transact(
                lambda s: sales.earn(s, s.get_one(Card, card_id), sale, by=TILL, now=any_world.clock())
            )
            outcomes.append("used")
        except AppError as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=till, args=(one,)) for one in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["budget_spent", "used"]
    found = desk.now_of(offer)
    assert (found.state, found.paused_because, found.used) == ("paused", "budget", 2_000)
    with any_world.database.reading() as session:
        assert session.scalars(select(OfferBudgetUse.used)).one() == W19


def test_a_spent_budget_pauses_the_offer_and_it_leaves_the_cards(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="bonus", terms={"points": 50}, budgets=[budget("points", "all", 100)])
    assert (desk.tried(offer), desk.tried(offer)) == ("", "")

    clock.advance(seconds=1)
    assert desk.tried(offer) == "budget_spent"
    assert desk.tick() == 1
    with any_world.database.reading() as session:
        reasons = [one.reason for one in session.scalars(select(Expansion).order_by(Expansion.id))]
        live = offers.live_in(session, desk.programme.id, now=clock())
    assert (reasons, live) == (["offer_started", "offer_ended"], [])


def test_an_offer_paused_by_its_budget_goes_on_when_uses_come_back(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, budgets=[budget("uses", "all", 1)])
    sold = desk.use(offer)
    desk.tick()

    grants.close_due(any_world)
    assert desk.now_of(offer).state == "paused", "there is no room yet"
    desk.take_back(sold.entry)
    grants.close_due(any_world)
    clock.advance(seconds=1)
    desk.tick()

    assert (desk.now_of(offer).state, desk.now_of(offer).paused_because) == ("live", "")
    assert desk.tried(offer) == ""


def test_a_budget_of_the_month_lets_the_offer_go_on_when_the_next_one_begins(
    any_world: World, clock: MovableClock
) -> None:
    desk = Desk(any_world)
    offer = desk.offer(
        kind="percent", terms={"percent": "10"}, ends_at=clock() + timedelta(days=40),
        budgets=[budget("uses", "month", 1)],
    )  # fmt: skip
    desk.use(offer)
    assert (desk.tried(offer), desk.now_of(offer).state) == ("budget_spent", "paused")

    clock.advance(days=11)  # 1 December in Istanbul
    grants.close_due(any_world)

    assert (desk.now_of(offer).state, desk.tried(offer)) == ("live", "")


@pytest.mark.parametrize("period", ["day", "store_day"])
def test_a_budget_of_the_day_refuses_until_the_next_day_and_pauses_nothing(
    any_world: World, clock: MovableClock, period: str
) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, budgets=[budget("money", period, 1_000)])
    assert (desk.tried(offer), desk.tried(offer), desk.now_of(offer).state) == ("", "budget_spent", "live")

    with any_world.database.unit_of_work() as session:
        elsewhere = factories.store(session, session.get_one(Programme, desk.programme.id), "Moda")
    assert desk.tried(offer, store=elsewhere) == ("" if period == "store_day" else "budget_spent")
    clock.advance(days=1)
    assert desk.tried(offer) == ""


def test_the_day_of_a_budget_is_the_store_s_own(any_world: World, clock: MovableClock) -> None:
    desk = Desk(any_world)
    with any_world.database.unit_of_work() as session:
        far = factories.store(
            session, session.get_one(Programme, desk.programme.id), "Jayapura", timezone="Asia/Jayapura"
        )
    clock.at = clock().replace(hour=16)  # 19:00 in Istanbul, 01:00 of the next day in Jayapura
    offer = desk.offer(kind="percent", terms={"percent": "10"}, budgets=[budget("uses", "day", 1)])

    assert (desk.tried(offer), desk.tried(offer, store=far), desk.tried(offer)) == ("", "", "budget_spent")


def test_a_purchase_too_dear_for_what_is_left_is_refused_and_a_cheaper_one_is_not(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, budgets=[budget("money", "all", 1_500)])

    assert [desk.tried(offer, amount) for amount in (10_000, 6_000, 5_000)] == ["", "budget_spent", ""]
    assert desk.used_of(offer) == {("money", "all"): 1_500}


def test_a_lost_race_for_a_budget_books_nothing_of_the_purchase(any_world: World) -> None:
    """The last unit goes to one of many tills, and the others have no points and no use of it."""
    desk = Desk(any_world)
    offer = desk.offer(kind="amount", terms={"amount": "10.00"}, budgets=[budget("uses", "day", 3)])
    with any_world.database.unit_of_work() as session:
        programme = session.merge(desk.programme, load=False)
        cards = [factories.card(session, programme).id for _ in range(8)]
    outcomes: list[str] = []

    def till(card_id: int) -> None:
        sale = desk.sale(10_000, offers=(offer.public_id,))
        try:
            any_world.database.transact(
                lambda s: sales.earn(s, s.get_one(Card, card_id), sale, by=TILL, now=any_world.clock())
            )
            outcomes.append("used")
        except Conflict as refusal:
            outcomes.append(refusal.code)

    threads = [threading.Thread(target=till, args=(one,)) for one in cards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["budget_spent"] * 5 + ["used"] * 3
    assert len(desk.uses(offer)) == desk.now_of(offer).used == 3
    assert desk.used_of(offer) == {("uses", "day"): 3}


def test_a_budget_lower_than_what_was_used_is_refused_with_its_field(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="amount", terms={"amount": "10.00"}, budgets=[budget("money", "all", 5_000)])
    desk.use(offer)
    desk.use(offer)

    def lower(most: int) -> None:
        desk.do(lambda s: budgets.replace_all(s, s.get_one(Offer, offer.id), [budget("money", "all", most)]))

    with pytest.raises(Unprocessable, match="budget_below_use") as refused:
        lower(1_999)
    assert "budgets.0.most" in refused.value.errors
    lower(2_000)
    assert desk.tried(offer) == "budget_spent"


def test_a_budget_set_later_counts_what_was_used_before(any_world: World) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="amount", terms={"amount": "10.00"})
    first = desk.use(offer)
    desk.do(lambda s: budgets.replace_all(s, s.get_one(Offer, offer.id), [
        budget("uses", "all", 2), budget("money", "month", 9_000), budget("points", "day", 9),
    ]))  # fmt: skip

    assert desk.used_of(offer) == {("uses", "all"): 1, ("money", "month"): 1_000, ("points", "day"): 0}
    desk.take_back(first.entry)
    assert desk.used_of(offer) == {("uses", "all"): 0, ("money", "month"): 0, ("points", "day"): 0}


def test_a_raised_budget_warns_again_at_its_own_eighty_percent(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="amount", terms={"amount": "10.00"}, budgets=[budget("uses", "day", 5)])
    for _ in range(4):
        desk.use(offer)
    assert warned_at(desk) is not None

    desk.do(lambda s: budgets.replace_all(s, s.get_one(Offer, offer.id), [budget("uses", "day", 10)]))
    assert warned_at(desk) is None
    for _ in range(4):
        desk.use(offer)
    assert warned_at(desk) is not None


def test_whoever_listens_is_told_once_at_eighty_percent(world: World) -> None:
    desk = Desk(world)
    desk.do(
        lambda s: endpoints.create(
            s, url="https://example.org/hook", events=["offer.budget"], programme_id=desk.programme.id,
            description="", now=world.clock(),
        )
    )  # fmt: skip
    offer = desk.offer(kind="amount", terms={"amount": "10.00"}, budgets=[budget("uses", "all", 5)])
    for _ in range(5):
        desk.use(offer)

    with world.database.reading() as session:
        said = [json.loads(one.body) for one in session.scalars(select(Event).order_by(Event.id))]
    told = [one["data"] for one in said if one["type"] == "offer.budget"]
    assert told == [{"offer": offer.public_id, "measure": "uses", "period": "all", "used": 4, "most": 5}]


def test_a_money_budget_cannot_be_passed_by_using_an_offer_without_an_amount(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="percent", terms={"percent": "20"}, budgets=[budget("money", "all", 3_000)])
    desk.redeem(offer, 10_000)

    with pytest.raises(Conflict, match="basket_needed"):
        desk.redeem(offer)
    with pytest.raises(Conflict, match="budget_spent"):
        desk.redeem(offer, 10_000)

    assert desk.used_of(offer) == {("money", "all"): 2_000}


def test_an_offer_used_as_often_as_it_may_be_in_all_is_paused_until_a_use_comes_back_or_more_are_allowed(
    any_world: World, clock: MovableClock
) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="percent", terms={"percent": "10"}, limit_total=1)
    sold = desk.use(offer)
    desk.tick()

    assert (desk.now_of(offer).state, desk.now_of(offer).paused_because) == ("paused", "budget")
    grants.close_due(any_world)
    assert desk.now_of(offer).state == "paused", "there is no room yet"
    assert desk.tried(offer) == "budget_spent"
    desk.take_back(sold.entry)
    grants.close_due(any_world)
    clock.advance(seconds=1)
    desk.tick()
    assert (desk.now_of(offer).state, desk.tried(offer)) == ("live", "")


@pytest.mark.parametrize(
    "over",
    [{"limit_total": 2}, {"budgets": [budget("uses", "all", 2)]}, {"budgets": [budget("money", "month", 2_000)]}],
)
def test_a_limit_changed_to_what_is_used_pauses_the_offer(
    any_world: World, clock: MovableClock, over: dict[str, Any]
) -> None:
    desk = Desk(any_world)
    offer = desk.offer(kind="amount", terms={"amount": "10.00"})
    desk.use(offer)
    desk.use(offer)

    def edited(**over: Any) -> str:
        def work(session: Session) -> str:
            row = session.get_one(Offer, offer.id)
            draft = replace(offers.draft_of(session, row), **over)
            offers.edit(session, row, draft, now=clock())
            return row.state

        return desk.do(work)

    assert edited(**over) == "paused"
    clock.advance(seconds=1)
    assert desk.tick() == 1
    assert edited(limit_total=3, budgets=()) == "paused"
    grants.close_due(any_world)
    assert (desk.now_of(offer).state, desk.tried(offer)) == ("live", "")


def test_a_budget_in_money_below_what_was_used_says_so_in_money(world: World) -> None:
    desk = Desk(world)
    offer = desk.offer(kind="amount", terms={"amount": "50.00"})
    desk.use(offer)

    with pytest.raises(Unprocessable) as refused:
        desk.do(lambda s: budgets.replace_all(s, s.get_one(Offer, offer.id), [budget("money", "all", 4_999)]))

    assert refused.value.public == "50.00 were used already; the budget cannot be lower."
