"""From the launch of a real campaign to its result: both groups are measured from the same hour."""

from datetime import UTC, datetime, timedelta

from app.campaigns import holdout
from app.campaigns.models import Campaign
from app.results import service
from app.world import World
from tests.app.campaigns.crowd import crowd, launched, recipients, settled
from tests.conftest import MovableClock


def test_who_is_held_back_is_measured_from_when_they_would_have_been_told(
    any_world: World, clock: MovableClock
) -> None:
    clock.at = datetime(2026, 11, 20, 19, 30, tzinfo=UTC)  # half past ten in Istanbul: quiet until nine
    people = crowd(any_world, 20)

    campaign = launched(any_world, people.programme, holdout_bp=5_000)
    settled(any_world)
    clock.advance(hours=12)
    settled(any_world)

    found = recipients(any_world, campaign)
    arms = {one.arm for one in found.values()}
    assert arms == {holdout.TREATED, holdout.HELD_BACK}
    assert {one.due_at for one in found.values()} == {datetime(2026, 11, 21, 6, 0, tzinfo=UTC)}


def test_the_result_of_a_sent_campaign_adds_up_and_says_that_it_is_early(any_world: World, clock: MovableClock) -> None:
    people = crowd(any_world, 20)
    campaign = launched(any_world, people.programme, holdout_bp=5_000)
    settled(any_world)
    clock.advance(minutes=5)

    assert service.work(any_world) == 1

    with any_world.database.reading() as session:
        result = service.of(session, session.get_one(Campaign, campaign.id), now=clock())
    assert result is not None
    counts = result.counts
    assert counts.planned == counts.sent + counts.held_of_all == 20
    assert counts.treated.people == counts.sent
    assert counts.held_back.people == counts.held_of_all
    assert result.is_interim
    assert result.ends_at is not None
    assert result.ends_at > clock() + timedelta(days=13)
