"""Counting a campaign: to the unit, as a slow recount of every row finds it, on both databases."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from app.campaigns.models import Recipient
from app.cards.models import Card
from app.counter import merging
from app.fraud.models import CardMerge
from app.ledger.models import Entry
from app.offers.models import Redemption
from app.results import counting, counts
from app.results.counts import Arm, Counts
from app.world import World
from tests.app.results.stage import DAYS, TILL, Stage

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
    assert found.held_back.capped_minor == 10_00


def test_what_was_counted_can_be_kept_and_read_again(world: World) -> None:
    stage = Stage(world, people=3, metric="visits")
    stage.assign(0, "treated")
    stage.assign(1, "holdout")
    stage.buys(0, "12.50")

    found = counted(stage)

    assert counts.read(counts.as_json(found)) == found
    assert counts.read(counts.as_json(found) | {"of_another_age": 1}) == found


def join(stage: Stage, source: int, target: int, *, after: timedelta = timedelta(hours=2)) -> CardMerge:
    """Give the first card up for the second one."""
    source_id, target_id = (stage.cards[number].id for number in (source, target))
    return stage.world.database.transact(
        lambda session: merging.merge(
            session, session.get_one(Card, source_id), session.get_one(Card, target_id), reason="the same person",
            by=TILL, now=stage.start + after,
        )
    )  # fmt: skip


def test_who_gives_up_the_card_that_was_told_still_counts_by_the_one_that_stays(any_world: World) -> None:
    stage = Stage(any_world, people=4)
    stage.assign(0, "treated")
    stage.assign(1, "holdout")
    stage.buys(0, "10")
    join(stage, 0, 2)
    join(stage, 2, 3, after=timedelta(hours=3))
    stage.buys(3, "20", after=timedelta(days=1))
    stage.buys(3, "40", after=timedelta(days=DAYS))

    found = counted(stage)

    assert as_row(found.treated)[:4] == (1, 1, 2, 30_00)
    assert as_row(found.held_back)[:4] == (1, 0, 0, 0)
    assert counted(stage, chunk=1) == found


def test_a_use_of_the_offer_counts_on_whichever_card_of_the_person_it_is(any_world: World) -> None:
    stage = Stage(any_world, people=3)
    stage.assign(0, "treated")
    join(stage, 0, 2)
    for number, days in enumerate((1, 9)):
        stage.uses(2, stage.buys(2, "20", after=timedelta(days=days)), cost_minor=150, use_no=number + 1)

    found = counted(stage).treated

    assert (found.redeemers, found.uses, found.cost_minor) == (1, 2, 300)


@pytest.mark.parametrize("chunk", [1, 100])
def test_a_person_with_two_cards_counts_once_where_they_were_assigned_first(any_world: World, chunk: int) -> None:
    stage = Stage(any_world, people=5)
    stage.run("2026-11-27T13:00")
    stage.assign(3, "holdout")
    stage.assign(0, "treated", run=1)
    stage.assign(1, "treated")
    stage.assign(4, "holdout")
    for number in (0, 3, 1, 4):
        stage.buys(number, "10")
    join(stage, 0, 3)
    join(stage, 4, 1)
    stage.buys(3, "20", after=timedelta(days=1))
    stage.buys(1, "40", after=timedelta(days=1))

    found = counted(stage, chunk=chunk)

    assert as_row(found.treated)[:4] == (1, 1, 3, 60_00)  # card 1, with what card 4 bought
    assert as_row(found.held_back)[:4] == (1, 1, 3, 40_00)  # card 3, with what card 0 bought
    assert sum(one.people for one in found.splits) == 2
    assert found.planned == 4


def test_cards_that_were_parted_again_count_each_for_itself(any_world: World) -> None:
    stage = Stage(any_world, people=2)
    stage.assign(0, "treated")
    stage.assign(1, "holdout")
    made = join(stage, 0, 1)
    stage.buys(1, "20", after=timedelta(hours=3))
    any_world.database.transact(
        lambda session: merging.unmerge(
            session, session.get_one(CardMerge, made.id), by=TILL, now=stage.start + timedelta(hours=4)
        )
    )

    found = counted(stage)

    assert (found.treated.people, found.treated.buyers) == (1, 0)
    assert (found.held_back.people, found.held_back.buyers) == (1, 1)


def test_where_no_card_was_joined_a_count_asks_for_none_chunk_by_chunk(world: World) -> None:
    stage = Stage(world, people=6)
    for number in range(6):
        stage.assign(number, "treated")
    asked: list[str] = []
    event.listen(world.database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    counted(stage, chunk=2)

    assert sum("card_merge" in one for one in asked) == 1
