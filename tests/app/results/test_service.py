"""What may be said of a campaign: with limits, as an early look, not at all; and the job that keeps it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from app.campaigns.models import Campaign
from app.cards.models import Programme
from app.errors import Unprocessable
from app.habits.models import CardDay
from app.results import counting, counts, service, stats, verdict
from app.results.counts import Arm, Counts, Planned
from app.results.models import CampaignResult, CampaignWorth
from app.results.service import WorthDraft
from app.results.stats import Sample
from app.results.verdict import Results, Says
from app.staff.models import AuditEvent
from app.world import World
from tests import factories
from tests.app.results.stage import Stage
from tests.conftest import MovableClock

NOW = factories.NOW
OVER = timedelta(days=8)
Judge = Callable[..., Results]


def campaign(metric: str = "purchase", state: str = "sent") -> Campaign:
    return Campaign(goal={"metric": metric, "days": 7}, state=state)


def arms(x1: int, n1: int, x0: int, n0: int, *, held_bp: int = 1000, **over: int) -> Counts:
    due_at = round(NOW.timestamp() * 1000)
    return Counts(
        computed_at=NOW + OVER, planned=n1 + n0, sent=n1, reasons={"holdout": n0}, last_due_at=due_at,
        treated=Arm(people=n1, buyers=x1, visits=x1, visits_squared=x1, uses=over.get("uses", 0)),
        held_back=Arm(people=n0, buyers=x0, visits=x0, visits_squared=x0),
        splits=(Planned(held_bp=held_bp, people=n1 + n0),),
    )  # fmt: skip


def judged(
    found: Counts, *, metric: str = "purchase", state: str = "sent", worth: CampaignWorth | None = None
) -> Results:
    return verdict.of(campaign(metric, state), found, worth, now=NOW + OVER)


def test_a_clear_effect_is_said_with_its_buyers_and_its_money() -> None:
    worth = CampaignWorth(campaign_id=1, margin_minor=45_00, redemption_minor=6_00, sending_minor=0)

    found = judged(arms(1_440, 18_000, 130, 2_000, uses=1_440), worth=worth)

    assert found.effect.says is Says.MORE
    assert found.buyers.total is not None
    assert found.net is not None
    assert (round(found.buyers.total.value), found.net.value, found.anyway) == (270, 3_510_00, 1_170)
    assert not found.is_interim
    assert not found.split_alarm


def test_limits_with_zero_between_them_are_inconclusive_whatever_the_lift() -> None:
    found = judged(arms(720, 9_000, 65, 1_000))

    assert found.effect.says is Says.UNCLEAR
    assert found.effect.says.value == "inconclusive"


def test_an_effect_for_the_worse_is_said_too() -> None:
    assert judged(arms(130, 2_000, 1_440, 18_000, held_bp=9_000)).effect.says is Says.LESS


def test_without_buyers_among_those_held_back_the_relative_lift_cannot_be_computed() -> None:
    found = judged(arms(20, 900, 0, 100))

    assert found.effect.lift is None
    assert found.effect.by is not None


@pytest.mark.parametrize(
    ("x1", "n1", "x0", "n0", "says"),
    [(5, 100, 0, 0, Says.NO_COMPARISON), (0, 0, 5, 10, Says.NO_COMPARISON), (0, 0, 0, 0, Says.NOBODY_YET)],
)
def test_where_there_is_nobody_to_compare_with_nothing_is_claimed(
    x1: int, n1: int, x0: int, n0: int, says: Says
) -> None:
    found = judged(arms(x1, n1, x0, n0), worth=CampaignWorth(margin_minor=1, redemption_minor=0, sending_minor=0))

    assert found.effect.says is says
    assert found.net is None


def test_without_a_margin_no_money_is_claimed() -> None:
    counted = arms(1_440, 18_000, 130, 2_000)

    assert judged(counted).net is None
    assert judged(counted, worth=CampaignWorth(margin_minor=None, redemption_minor=0, sending_minor=5)).net is None


def test_a_look_before_the_end_of_the_window_is_interim() -> None:
    counted = arms(10, 900, 1, 100)
    early = replace(counted, computed_at=NOW + timedelta(days=6))

    assert judged(early).is_interim
    assert judged(counted, state="sending").is_interim
    assert judged(replace(counted, waiting=1)).is_interim
    assert not judged(counted).is_interim


def test_a_split_that_chance_does_not_explain_is_an_alarm() -> None:
    assert judged(arms(10, 17_700, 1, 2_300)).split_alarm
    assert not judged(arms(10, 18_050, 1, 1_950)).split_alarm
    assert judged(arms(1, 5, 1, 5)).split is None  # too few for it to say anything


def test_shares_that_changed_between_runs_are_each_expected_as_planned() -> None:
    counted = replace(
        arms(10, 13_000, 1, 7_000),
        splits=(Planned(held_bp=5_000, people=10_000), Planned(held_bp=2_000, people=10_000)),
    )

    found = judged(counted)

    assert found.split is not None
    assert found.split.statistic == 0


def test_visits_and_spend_are_compared_as_means() -> None:
    found = judged(arms(300, 1_000, 100, 1_000, held_bp=5_000), metric="visits")

    assert found.effect.by is not None
    assert found.effect.by.value == pytest.approx(0.2)
    assert found.effect.says is Says.MORE
    assert found.effect.total is not None
    assert found.effect.total.value == pytest.approx(200)


@pytest.mark.parametrize(("buyers", "is_welch"), [(30, True), (29, False)])
def test_means_are_compared_by_welch_once_thirty_of_each_group_bought(buyers: int, is_welch: bool) -> None:
    found = judged(arms(1_800, 9_000, buyers, 1_000), metric="visits")
    told, held = Sample.of_sums(9_000, 1_800, 1_800), Sample.of_sums(1_000, buyers, buyers)

    welch = stats.welch(told, held)
    assert (found.effect.by == welch) is is_welch
    assert found.effect.by is not None
    assert welch is not None
    assert found.effect.by.high >= welch.high


@pytest.mark.parametrize("metric", ["visits", "spend"])
@pytest.mark.parametrize(("treated", "held_back"), [(9, 1), (90, 9), (9, 90)])
def test_of_visits_and_spend_nothing_is_said_with_fewer_than_ten_people_in_a_group(
    metric: str, treated: int, held_back: int
) -> None:
    found = judged(arms(treated, treated, 0, held_back), metric=metric)

    assert found.effect.says is Says.NO_COMPARISON
    assert found.effect.by is None
    assert found.effect.total is None


@pytest.mark.parametrize("metric", ["visits", "spend"])
def test_one_person_who_is_held_back_proves_nothing(world: World, clock: MovableClock, metric: str) -> None:
    stage = Stage(world, people=10, metric=metric)
    for number in range(10):
        stage.assign(number, "treated" if number < 9 else "holdout")
    for number in range(6):
        stage.buys(number, "100.00")
    clock.advance(days=8)

    with world.database.reading() as session:
        found = service.of(session, session.get_one(Campaign, stage.campaign.id), now=clock())

    assert found.effect.says is Says.NO_COMPARISON


@pytest.mark.parametrize(
    ("x1", "x0", "anyway"), [(2, 4, None), (10, 0, 0), (10, 1, 3), (10, 3, 9), (6, 2, 6), (6, 3, None)]
)
def test_of_those_who_bought_only_so_many_would_have_bought_anyway_as_there_are(
    x1: int, x0: int, anyway: int | None
) -> None:
    assert judged(arms(x1, 15, x0, 5)).anyway == anyway


def test_the_job_keeps_what_a_count_of_every_row_finds_and_counts_again_when_it_is_due(
    any_world: World, clock: MovableClock
) -> None:
    stage = Stage(any_world, people=4)
    for number, arm in enumerate(("treated", "treated", "treated", "holdout")):
        stage.assign(number, arm)
    stage.buys(0, "20")
    clock.advance(hours=3)

    assert service.work(any_world) == 1
    assert service.work(any_world) == 0  # it is not due again yet
    stage.buys(1, "20", after=timedelta(hours=4))
    clock.advance(hours=2)
    assert service.work(any_world) == 1

    with any_world.database.reading() as session:
        kept = counts.read(session.get_one(CampaignResult, stage.campaign.id).body)
        asked = counting.question(session, stage.campaign)
    direct = counting.count(any_world.database.reading, asked, now=clock())
    assert replace(kept, course=()) == direct
    assert kept.treated.buyers == 2
    assert [one.sent for one in kept.course] == [3, 3]


def test_a_campaign_is_counted_every_night_until_returns_are_rare_and_then_stays(
    world: World, clock: MovableClock
) -> None:
    stage = Stage(world, people=1)
    stage.assign(0, "treated")

    clock.advance(days=10)
    assert service.work(world) == 1
    clock.advance(hours=23)
    assert service.work(world) == 0
    clock.advance(days=70)
    assert service.work(world) == 1
    clock.advance(days=10)
    assert service.work(world) == 0


def test_where_nothing_moves_the_course_keeps_the_first_and_the_last_moment() -> None:
    found: Counts | None = None
    for minute in range(500):
        one = replace(arms(minute // 100, 900, 0, 100), computed_at=NOW + timedelta(minutes=minute), sent=minute // 100)
        found = verdict.with_sample(one, found)

    assert found is not None
    assert [one.sent for one in found.course] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_count_that_was_killed_leaves_nothing_and_is_begun_anew(world: World, clock: MovableClock) -> None:
    stage = Stage(world, people=3)
    for number in range(3):
        stage.assign(number, "treated")
    with world.database.reading() as session:
        asked = counting.question(session, stage.campaign)
    chunks = 0

    def dies() -> object:
        nonlocal chunks
        chunks += 1
        if chunks > 2:
            raise KeyboardInterrupt
        return world.database.reading()

    with pytest.raises(KeyboardInterrupt):
        counting.count(dies, asked, now=clock(), chunk=1)  # type: ignore[arg-type]

    assert service.work(world) == 1
    with world.database.reading() as session:
        assert counts.read(session.get_one(CampaignResult, stage.campaign.id).body).sent == 3


def test_few_people_are_counted_at_once_where_the_job_has_not_come_to_them(world: World) -> None:
    stage = Stage(world, people=2)
    stage.assign(0, "treated")
    stage.assign(1, "holdout")

    with world.database.reading() as session:
        found = service.of(session, session.get_one(Campaign, stage.campaign.id), now=world.clock())

    assert (found.counts.planned, found.is_interim) == (2, True)


def test_few_people_are_counted_at_each_look(any_world: World, clock: MovableClock) -> None:
    stage = Stage(any_world, people=2)
    stage.assign(0, "treated")
    clock.advance(hours=3)
    assert service.work(any_world) == 1
    stage.assign(1, "treated")
    stage.buys(0, "20")

    with any_world.database.reading() as session:
        found = service.of(session, session.get_one(Campaign, stage.campaign.id), now=clock()).counts

    assert (found.planned, found.treated.people, found.treated.buyers) == (2, 2, 1)
    assert len(found.course) == 2


def test_who_was_told_of_many_is_known_before_they_are_counted(world: World, clock: MovableClock) -> None:
    stage = Stage(world, people=3)
    stage.assign(0, "treated")
    stage.assign(1, "holdout")

    def look() -> Counts:
        with world.database.reading() as session:
            return service.of(session, session.get_one(Campaign, stage.campaign.id), now=clock(), few=1).counts

    first = look()
    assert (first.planned, first.sent, first.reasons, first.is_counted) == (2, 1, {"holdout": 1}, False)
    clock.advance(hours=3)
    assert service.work(world) == 1
    stage.assign(2, "treated")
    second = look()
    assert (second.planned, second.sent, second.treated.people, second.is_counted) == (3, 2, 1, True)


def test_what_a_buyer_is_worth_is_kept_with_who_said_it(world: World) -> None:
    stage = Stage(world, people=0)
    with world.database.unit_of_work() as session:
        draft = WorthDraft(margin_minor=45_00, redemption_minor=6_00, sending_minor=100_00)
        service.set_worth(session, stage.campaign, draft, by="staff:stf_ece", now=world.clock())
        service.set_worth(
            session, stage.campaign, WorthDraft(margin_minor=50_00), by="staff:stf_ece", now=world.clock()
        )

    with world.database.reading() as session:
        found = service.worth_of(session, stage.campaign)
        actions = [event.action for event in session.query(AuditEvent)]
    assert found is not None
    assert (found.margin_minor, found.redemption_minor) == (50_00, 0)
    assert actions == ["campaign_worth_set", "campaign_worth_set"]


@pytest.mark.parametrize("draft", [WorthDraft(margin_minor=-1), WorthDraft(sending_minor=10**13)])
def test_an_amount_below_zero_or_beyond_reason_is_refused(world: World, draft: WorthDraft) -> None:
    stage = Stage(world, people=0)

    with world.database.unit_of_work() as session, pytest.raises(Unprocessable) as refusal:
        service.set_worth(session, stage.campaign, draft, by="t", now=world.clock())

    assert refusal.value.code == "invalid_worth"


def test_how_much_so_many_people_can_show_is_said_before_the_start() -> None:
    found = service.visible(26_810, 1_000, Fraction("0.065"))

    assert found is not None
    assert found.after == Fraction("0.08")
    assert (found.held_back, found.treated) == (2_681, 24_129)
    assert service.visible(50, 1_000, Fraction("0.065")) is None
    assert service.visible(50_000, 0, Fraction("0.065")) is None


def test_the_hint_is_measured_by_who_bought_lately(world: World) -> None:
    stage = Stage(world, people=10)
    with world.database.unit_of_work() as session:
        today = world.clock().date()
        for number, days in ((0, 1), (1, 6), (2, 8)):
            card, day = stage.cards[number].id, today - timedelta(days=days)
            session.add(CardDay(programme_id=stage.programme.id, day=day, card_id=card, visits=1))
        programme = session.get_one(Programme, stage.programme.id)

        found = service.hint(session, programme, people=100_000, held_bp=1_000, days=7, now=world.clock())

    assert found is not None
    assert found.before == Fraction(2, 10)
    assert Fraction("0.2") < found.after < Fraction("0.22")
