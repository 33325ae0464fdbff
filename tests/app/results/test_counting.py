"""Counting a campaign: to the unit, as a slow recount of every row finds it, on both databases."""

import random
from datetime import timedelta

from sqlalchemy import select

from app.campaigns.models import Recipient
from app.ledger.models import Entry
from app.offers.models import Redemption
from app.results import counting, counts
from app.results.counts import Arm, Counts
from app.world import World
from tests.app.results.stage import DAYS, Stage

LATER = timedelta(days=90)


def counted(stage: Stage, *, chunk: int = 3) -> Counts:
    with stage.world.database.reading() as session:
        asked = counting.question(session, stage.campaign)
    return counting.count(stage.world.database.reading, asked, now=stage.start + LATER, chunk=chunk)


def recount(stage: Stage) -> dict[str, tuple[int, int, int, int, int, int, int]]:
    """People, buyers, visits, spend, redeemers, uses and cost of each arm, by going through every row by itself."""
    with stage.world.database.reading() as session:
        recipients = list(session.scalars(select(Recipient).order_by(Recipient.run_id)))
        entries = list(session.scalars(select(Entry)))
        uses = list(session.scalars(select(Redemption)))
    first: dict[int, Recipient] = {}
    for one in recipients:
        if one.arm or one.reason == "holdout":
            first.setdefault(one.card_id, one)
    found: dict[str, list[int]] = {arm: [0] * 7 for arm in ("treated", "holdout", "")}
    for card_id, one in first.items():
        row = found[one.arm]
        end = one.due_at + timedelta(days=DAYS)
        left = [
            (sale.amount_minor or 0) + sum(back.amount_minor or 0 for back in entries if back.reverses_id == sale.id)
            for sale in entries
            if sale.card_id == card_id and sale.kind == "earn" and one.due_at <= sale.occurred_at < end
        ]
        left = [amount for amount in left if amount > 0]
        mine = [use for use in uses if use.card_id == card_id and use.reversed_at is None and use.at >= one.due_at]
        for place, value in enumerate(
            (1, bool(left), len(left), sum(left), any(use.at < end for use in mine), len(mine),
             sum(use.cost_minor for use in mine))
        ):  # fmt: skip
            row[place] += int(value)
    return {arm: tuple(row) for arm, row in found.items()}  # type: ignore[misc]


def as_row(arm: Arm) -> tuple[int, int, int, int, int, int, int]:
    return arm.people, arm.buyers, arm.visits, arm.spend_minor, arm.redeemers, arm.uses, arm.cost_minor


def test_a_campaign_of_many_turns_is_counted_as_a_slow_recount_counts_it(any_world: World) -> None:
    chance, stage = random.Random(11), Stage(any_world, people=24)
    stage.run("2026-11-27T13:00", held_bp=2000)
    for number in range(24):
        arm = chance.choice(["treated", "treated", "holdout", ""])
        over = {"state": "suppressed", "reason": "no_consent"} if number == 5 else {}
        if number == 6:
            arm, over = "treated", {"state": "suppressed", "reason": "cap_day"}
        due_at = stage.start + timedelta(hours=chance.randrange(48))
        stage.assign(number, arm, at=due_at, **over)
        if number % 3 == 0:
            stage.assign(number, arm, run=1, at=due_at + timedelta(days=7))
        for turn in range(chance.randrange(3)):
            sale = stage.buys(number, str(chance.randrange(5, 90)), after=timedelta(hours=chance.randrange(24 * 12)))
            what = chance.randrange(4)
            if what == 0:
                stage.brings_back(sale)
            elif what == 1:
                stage.brings_back(sale, amount_minor=200)
            elif what == 2:
                stage.uses(number, sale, cost_minor=chance.randrange(500), use_no=turn + 1, taken_back=turn == 1)

    found = counted(stage)

    expected = recount(stage)
    assert as_row(found.treated) == expected["treated"]
    assert as_row(found.held_back) == expected["holdout"]
    assert as_row(found.apart) == expected[""]
    assert found.planned == found.sent + found.waiting + sum(found.reasons.values()) == 24 + 8
    assert sum(one.planned for one in found.runs) == found.planned
    assert counted(stage, chunk=1000) == found


def test_planned_is_sent_and_suppressed_by_reason_and_waiting_to_the_unit(any_world: World) -> None:
    stage = Stage(any_world, people=6)
    stage.assign(0, "treated")
    stage.assign(1, "treated", note="wallet_quota")
    stage.assign(2, "treated", state="planned", version=None)
    stage.assign(3, "holdout")
    stage.assign(4, "", reason="no_consent")
    stage.assign(5, "treated", state="suppressed", reason="cap_week")

    found = counted(stage)

    assert (found.planned, found.sent, found.waiting) == (6, 2, 1)
    assert found.reasons == {"cap_week": 1, "holdout": 1, "no_consent": 1}
    assert found.notes == {"wallet_quota": 1}
    assert found.treated.people == 4


def test_accepted_is_what_a_wallets_service_took_with_that_version_and_fetched_what_a_phone_loaded(
    any_world: World,
) -> None:
    stage = Stage(any_world, people=6)
    for number in range(6):
        stage.assign(number, "treated", version=5)
    stage.phone(0, "apple", done=5, fetched=5)
    stage.phone(0, "google", done=7, address=2)
    stage.phone(1, "apple", done=9, fetched=4)
    stage.phone(2, "apple", done=4, fetched=4)
    stage.phone(3, "google", done=5)
    stage.phone(4, "apple", done=5, fetched=5)
    stage.phone(4, "apple", done=5, fetched=0, address=9)

    found = counted(stage)

    assert (found.accepted, found.apple, found.google, found.fetched) == (4, 3, 2, 2)


def test_only_what_was_bought_within_ones_own_window_counts(any_world: World) -> None:
    stage = Stage(any_world, people=4)
    window = timedelta(days=DAYS)
    for number in range(4):
        stage.assign(number, "treated", at=stage.start + timedelta(hours=2))
    stage.buys(0, "10", after=timedelta(hours=1))
    stage.buys(1, "10", after=timedelta(hours=2))
    stage.buys(2, "10", after=timedelta(hours=2) + window - timedelta(milliseconds=1))
    stage.buys(3, "10", after=timedelta(hours=2) + window)

    assert counted(stage).treated.buyers == 2


def test_who_brought_everything_back_did_not_buy(any_world: World) -> None:
    stage = Stage(any_world, people=2)
    for number in range(2):
        stage.assign(number, "treated")
        sale = stage.buys(number, "30.00")
        stage.brings_back(sale, amount_minor=None if number else 10_00)

    found = counted(stage).treated

    assert (found.buyers, found.visits, found.spend_minor) == (1, 1, 20_00)


def test_one_large_basket_counts_up_to_the_99th_percentile(world: World) -> None:
    stage = Stage(world, people=3, metric="spend")
    for number, amount in enumerate(("10", "20", "5000")):
        stage.assign(number, "treated" if number else "holdout")
        stage.buys(number, amount)

    found = counted(stage)

    assert found.cap_minor == 5000_00  # of three baskets the highest is the 99th percentile
    assert found.treated.capped_minor == 5020_00
    assert found.drawn is not None
    assert found.drawn[0] == (5020_00 / 2) - 10_00


def test_what_was_counted_can_be_kept_and_read_again(world: World) -> None:
    stage = Stage(world, people=3, metric="visits")
    stage.assign(0, "treated")
    stage.assign(1, "holdout")
    stage.buys(0, "12.50")

    found = counted(stage)

    assert counts.read(counts.as_json(found)) == found
