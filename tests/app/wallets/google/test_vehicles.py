"""Which of Google's ways is taken, and that none tells people who must not be told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.wallets.google import vehicles
from app.wallets.google.vehicles import Need, Vehicle
from app.wallets.promises import OfferView

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OFFER = OfferView(
    id=1, public_id="off_1", title="Offer", body="", texts={}, starts_at=NOW, ends_at=NOW + timedelta(days=1),
    timezone="UTC", announce=False,
)  # fmt: skip


@given(
    some.builds(
        Need, tells=some.booleans(), for_some=some.booleans(), holds_back=some.booleans(), is_own=some.booleans()
    )
)
def test_a_class_is_never_taken_where_somebody_of_its_holders_must_not_see_it(need: Need) -> None:
    chosen = vehicles.choose(need)
    assert chosen.is_shared == (not (need.for_some or need.holds_back or need.is_own))
    assert (chosen in {Vehicle.CLASS_MESSAGE, Vehicle.OBJECT_MESSAGE}) == need.tells


@pytest.mark.parametrize("left_out", ["for_some", "holds_back", "is_own"])
def test_a_held_back_member_a_missing_consent_or_a_segment_forbids_a_class_message(left_out: str) -> None:
    assert vehicles.choose(Need(tells=True)) is Vehicle.CLASS_MESSAGE
    assert vehicles.choose(Need(tells=True, **{left_out: True})) is Vehicle.OBJECT_MESSAGE


@pytest.mark.parametrize(
    ("audience", "announce", "vehicle", "calls"),
    [
        ("all", False, Vehicle.CLASS_MODULE, 3),
        ("all", True, Vehicle.CLASS_MESSAGE, 3),
        ("segment", False, Vehicle.OBJECT_MODULE, 9_000),
        ("segment", True, Vehicle.OBJECT_MESSAGE, 9_000),
        ("targeted", False, Vehicle.OBJECT_MODULE, 9_000),
        ("targeted", True, Vehicle.OBJECT_MODULE, 9_000),
    ],
)
def test_an_offer_goes_by_the_vehicle_with_the_fewest_calls(
    audience: str, announce: bool, vehicle: Vehicle, calls: int
) -> None:
    offer = replace(OFFER, audience=audience, announce=announce)
    plan = vehicles.plan_of_offer(offer, classes=3, cards=9_000)
    assert (plan.vehicle, plan.calls) == (vehicle, calls)
    assert str(calls) in plan.sentence


def test_a_campaign_tells_card_by_card_and_needs_another_call_for_what_it_hands_out() -> None:
    plain = vehicles.plan_of_campaign(None, cards=100)
    with_offer = vehicles.plan_of_campaign(replace(OFFER, audience="targeted"), cards=100)
    public = vehicles.plan_of_campaign(OFFER, cards=100)
    assert [one.calls for one in (plain, with_offer, public)] == [100, 200, 100]
    assert {one.vehicle for one in (plain, with_offer, public)} == {Vehicle.OBJECT_MESSAGE}
