"""Who is held back: the same people each time, others for each campaign."""

from collections import Counter

import pytest

from app.campaigns import holdout
from app.campaigns.holdout import Shares


@pytest.mark.parametrize(("member", "expected"), [("m_1001", 1829), ("m_1002", 6843), ("m_1003", 9108)])
def test_the_bucket_of_a_member_in_a_campaign(member: str, expected: int) -> None:
    assert holdout.bucket("camp_77", member) == expected


def test_at_twenty_percent_one_of_three_is_held_back() -> None:
    held = [one for one in ("m_1001", "m_1002", "m_1003") if holdout.is_held_back("camp_77", one, 2000)]

    assert held == ["m_1001"]


def test_shares_come_out_as_they_are_planned() -> None:
    shares = Shares(campaign="cmp_a", campaign_bp=1000, programme="prg_a", global_bp=500)

    arms = Counter(holdout.arm(shares, f"mem_{number}") for number in range(20_000))

    assert 900 < arms[""] < 1100
    assert 1750 < arms[holdout.HELD_BACK] < 2050
    assert arms.total() == 20_000


def test_with_nothing_held_back_everybody_is_treated() -> None:
    shares = Shares(campaign="cmp_a", campaign_bp=0, programme="prg_a", global_bp=0)

    assert {holdout.arm(shares, f"mem_{number}") for number in range(500)} == {holdout.TREATED}


def test_who_is_held_back_of_everything_is_in_no_arm_of_any_campaign() -> None:
    everything = [
        member for member in map("mem_{}".format, range(2000))
        if holdout.is_held_back(holdout.global_salt("prg_a"), member, 500)
    ]  # fmt: skip

    arms = {
        holdout.arm(Shares(campaign=campaign, campaign_bp=5000, programme="prg_a", global_bp=500), member)
        for campaign in ("cmp_a", "cmp_b") for member in everything
    }  # fmt: skip

    assert everything
    assert arms == {""}
