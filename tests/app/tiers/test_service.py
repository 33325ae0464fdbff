"""Tiers of real cards in real databases: reached by sales, judged by time, given by hand."""

from datetime import date

import pytest
from sqlalchemy import event

from app.cards.models import Card, Programme
from app.errors import Conflict, Unprocessable
from app.ledger import held
from app.tiers import changing, nightly, service
from app.tiers.changing import TierDraft
from app.tiers.rules import Metric, Policy, Projection, Window
from app.tiers.service import Granting
from app.world import World
from tests.app.tiers.members import Buyer, Shop, noon
from tests.conftest import MovableClock


@pytest.fixture
def shop(any_world: World, clock: MovableClock) -> Shop:
    clock.at = noon("2026-01-02")
    return Shop(any_world, clock)


def to_gold(shop: Shop) -> Buyer:
    return shop.enrol().buys("2500", "2026-01-14").buys("3900", "2026-08-09")


def test_w14_from_the_first_sale_to_the_soft_landing(shop: Shop) -> None:
    buyer = shop.enrol().buys("2500", "2026-01-14")
    assert (buyer.tier, buyer.standing.valid_to) == ("Silver", date(2027, 1, 31))

    buyer.buys("3900", "2026-08-09")
    assert (buyer.tier, buyer.standing.valid_to) == ("Gold", date(2027, 8, 31))

    buyer.buys("3000", "2026-09-01").buys("1100", "2027-05-05")
    shop.night("2027-08-20")
    assert buyer.told() == Projection(
        to_keep=190_000, keep_by=date(2027, 8, 31), to_next=1_090_000, next_by=date(2027, 8, 31)
    )

    shop.night("2027-08-31")
    assert (buyer.tier, buyer.standing.grace_to) == ("Gold", None)
    shop.night("2027-09-01")
    assert (buyer.tier, buyer.standing.grace_to) == ("Gold", date(2027, 9, 30))
    shop.night("2027-09-30")
    assert buyer.tier == "Gold"
    shop.night("2027-10-01")
    assert (buyer.tier, buyer.standing.valid_to) == ("Silver", date(2028, 8, 31))


def test_w14_with_500_it_is_silver_first_and_nothing_a_year_later(shop: Shop) -> None:
    buyer = to_gold(shop).buys("500", "2027-03-03")

    shop.night("2027-10-01")
    assert buyer.tier == "Silver"
    shop.night("2028-10-01")
    assert buyer.tier is None


def test_w15_a_threshold_is_reached_to_the_cent_and_a_return_keeps_the_tier(shop: Shop) -> None:
    buyer = shop.enrol().buys("1999.99", "2026-02-01")
    assert buyer.tier is None

    buyer.buys("0.01", "2026-02-02")
    assert (buyer.tier, buyer.metric) == ("Silver", 200_000)

    buyer.buys("-0.01", "2026-03-05", of="2026-02-02")
    assert (buyer.tier, buyer.metric, buyer.months()) == ("Silver", 199_999, {"2026-02": 199_999})


def test_under_strict_rules_a_return_that_undoes_the_threshold_takes_the_tier_at_once(shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        changing.set_policy(
            session, session.get_one(Programme, shop.programme.id), Policy(strict=True), now=shop.clock()
        )
    buyer = shop.enrol().buys("2000", "2026-02-01")

    buyer.buys("-0.01", "2026-03-05", of="2026-02-01")

    assert buyer.tier is None


def test_a_return_reduces_the_month_of_its_sale_even_when_that_no_longer_counts(shop: Shop) -> None:
    buyer = to_gold(shop).buys("1000", "2027-02-02")

    buyer.buys("-400", "2027-02-10", of="2026-01-14")

    assert buyer.months() == {"2026-01": 210_000, "2026-08": 390_000, "2027-02": 100_000}
    assert buyer.metric == 490_000


def test_a_sale_that_lifts_the_member_leaves_the_card_it_was_given_at_the_old_tier(shop: Shop) -> None:
    buyer = shop.enrol().buys("5999.99", "2026-02-01")

    with shop.world.database.unit_of_work() as session:
        before = held.by_id(session, buyer.card.id)
        after = service.after_sale(
            session, before, spend_minor=1, earned=0, visits=1, at=noon("2026-02-01"), now=noon("2026-02-01")
        )

    assert before.tier is not None
    assert after.tier is not None
    assert (before.tier.name, after.tier.name, after.tier.multiplier_num) == ("Silver", "Gold", 3)
    assert after.next_threshold_minor == 1_500_000


def test_a_sale_that_changes_no_standing_takes_two_statements(shop: Shop) -> None:
    buyer = to_gold(shop)
    statements: list[str] = []

    with shop.world.database.unit_of_work() as session:
        card = held.by_id(session, buyer.card.id)
        event.listen(session.connection().engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        service.after_sale(session, card, spend_minor=100, earned=0, visits=1, at=shop.clock(), now=shop.clock())

    assert len(statements) == 2


def test_what_no_longer_counts_is_taken_off_the_card_on_the_first_of_the_month(shop: Shop) -> None:
    buyer = shop.enrol().buys("1000", "2026-02-01").buys("500", "2026-03-01")
    version = buyer.stored.version

    assert shop.night("2027-01-31") == 0
    assert shop.night("2027-02-01") == 1

    assert (buyer.metric, buyer.stored.version) == (50_000, version + 1)


def test_the_day_begins_in_the_programme_s_zone(shop: Shop) -> None:
    buyer = to_gold(shop)

    shop.clock.at = noon("2027-09-30").replace(hour=20, minute=59)
    nightly.work(shop.world)
    assert buyer.tier == "Gold"
    shop.clock.at = noon("2027-09-30").replace(hour=21)
    nightly.work(shop.world)
    assert buyer.tier == "Silver"


def test_spending_enough_within_the_grace_renews_the_tier_before_the_job_has_come_by(shop: Shop) -> None:
    buyer = to_gold(shop).buys("6000", "2027-09-12")

    assert (buyer.tier, buyer.standing.valid_to, buyer.standing.grace_to) == ("Gold", date(2028, 9, 30), None)


def story(shop: Shop, nights: list[str]) -> tuple[object, ...]:
    """Gold that is not kept, with the job on these days; where it ends."""
    buyer = to_gold(shop).buys("4100", "2027-03-03")
    for night in nights:
        shop.night(night)
    now_so = buyer.standing
    return buyer.tier, now_so.valid_to, now_so.grace_to, buyer.metric, now_so.due_on


def test_ten_days_late_and_three_times_over_is_the_same_as_on_time(shop: Shop) -> None:
    late = story(shop, ["2027-10-11"])
    often = story(shop, ["2027-09-01", "2027-09-01", "2027-10-01", "2027-10-01", "2027-10-01", "2027-10-11"])

    assert late == often
    assert late[0] == "Silver"


def test_a_second_run_changes_and_tells_nothing(shop: Shop) -> None:
    buyer = to_gold(shop)
    shop.night("2027-10-01")
    version = buyer.stored.version

    assert shop.night("2027-10-01") == 0
    assert buyer.stored.version == version


def given(shop: Shop, buyer: Buyer, tier: str, until: str, reason: str = "Hotel partner") -> None:
    granting = Granting(tier_id=shop.tier(tier), until=date.fromisoformat(until), reason=reason, by="staff:stf_1")
    with shop.world.database.unit_of_work() as session:
        service.grant(session, session.get_one(Card, buyer.card.id), granting, now=shop.clock())


def test_a_tier_given_by_hand_survives_evaluation_until_its_day(shop: Shop) -> None:
    buyer = shop.enrol().buys("2500", "2026-01-14")
    shop.day("2026-02-01")
    given(shop, buyer, "Platinum", "2027-06-30")
    assert (buyer.tier, buyer.standing.granted_reason) == ("Platinum", "Hotel partner")

    shop.night("2027-03-05")  # silver has ended beneath it
    assert buyer.tier == "Platinum"
    shop.night("2027-06-30")
    assert buyer.tier == "Platinum"
    shop.night("2027-07-01")
    assert (buyer.tier, buyer.standing.granted_to) == (None, None)


def test_a_sale_does_not_take_a_tier_that_was_given_by_hand(shop: Shop) -> None:
    buyer = shop.enrol()
    given(shop, buyer, "Platinum", "2026-12-31")

    buyer.buys("2000", "2026-03-03")

    assert buyer.tier == "Platinum"
    assert buyer.told().to_next is None


def test_a_grant_is_taken_back_before_its_day(shop: Shop) -> None:
    buyer = shop.enrol()
    given(shop, buyer, "Gold", "2026-12-31")

    with shop.world.database.unit_of_work() as session:
        assert service.take_grant_back(session, session.get_one(Card, buyer.card.id), now=shop.clock())

    assert buyer.tier is None


@pytest.mark.parametrize(
    ("until", "reason", "field"),
    [
        ("2026-01-01", "Hotel partner", "until"),
        ("2036-12-31", "Hotel partner", "until"),
        ("2026-12-31", " x ", "reason"),
    ],
)
def test_a_grant_without_a_right_day_or_a_reason_is_refused(shop: Shop, until: str, reason: str, field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        given(shop, shop.enrol(), "Gold", until, reason)

    assert (refused.value.code, list(refused.value.errors)) == ("invalid_grant", [field])


def test_a_lower_tier_than_was_earned_cannot_be_given(shop: Shop) -> None:
    buyer = to_gold(shop)

    with pytest.raises(Conflict) as refused:
        given(shop, buyer, "Silver", "2027-12-31")

    assert refused.value.code == "tier_not_higher"


@pytest.mark.parametrize(("metric", "threshold"), [(Metric.VISITS, "3"), (Metric.EARNED, "30")])
def test_visits_or_points_may_be_what_counts(shop: Shop, metric: Metric, threshold: str) -> None:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        silver = TierDraft(id=shop.tier("Silver"), name="Silver", threshold=threshold)
        policy = Policy(metric=metric, window=Window.CALENDAR)
        changing.save(session, programme, changing.plan(session, programme, [silver], policy), now=shop.clock())
    buyer = shop.enrol().buys("100", "2026-12-29").buys("100", "2026-12-30")
    assert buyer.tier is None

    buyer.buys("100", "2026-12-31")
    assert buyer.tier == "Silver"
    shop.night("2027-01-01")
    assert buyer.metric == 0
