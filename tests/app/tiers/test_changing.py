"""Tiers and their rules are changed: what is refused, who would move, and that they then do."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.cards.models import Card, Programme, Tier
from app.errors import Conflict, Unprocessable
from app.offers import service as offers
from app.offers.service import OfferDraft
from app.tiers import changing, nightly
from app.tiers.changing import Moves, TierDraft
from app.tiers.rules import Metric, Policy, Window
from app.world import World
from tests.app.tiers.members import Shop, noon
from tests.conftest import MovableClock, open_test_world, settings_for


@pytest.fixture
def shop(any_world: World, clock: MovableClock) -> Shop:
    """Two members without a tier, three in silver, one in gold."""
    clock.at = noon("2026-03-02")
    made = Shop(any_world, clock)
    for amount in ("100", "1900", "2000", "3500", "4000", "7000"):
        made.enrol().buys(amount, "2026-03-02")
    return made


def drafts(shop: Shop, **thresholds: str) -> list[TierDraft]:
    """The tiers as they are, with other thresholds for some, and new ones; an empty threshold deletes."""
    with shop.world.database.reading() as session:
        programme = session.get_one(Programme, shop.programme.id)
        there = changing.drafts_of(programme, changing.policy_of(session, programme.id))
    found = [replace(one, threshold=thresholds.pop(one.name, one.threshold)) for one in there]
    found += [TierDraft(name=name, threshold=threshold) for name, threshold in thresholds.items()]
    return sorted((one for one in found if one.threshold), key=lambda one: float(one.threshold))


def previewed(shop: Shop, wanted: list[TierDraft], policy: Policy = Policy()) -> Moves:  # noqa: B008  a frozen value
    with shop.world.database.reading() as session:
        programme = session.get_one(Programme, shop.programme.id)
        planned = changing.plan(session, programme, wanted, policy)
        return changing.preview(session, programme, planned, now=shop.clock())


def saved(shop: Shop, wanted: list[TierDraft], policy: Policy = Policy()) -> None:  # noqa: B008  a frozen value
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        changing.save(session, programme, changing.plan(session, programme, wanted, policy), now=shop.clock())


def standing(shop: Shop) -> dict[int, str | None]:
    with shop.world.database.reading() as session:
        query = select(Card.id, Tier.name).outerjoin(Tier, Tier.id == Card.tier_id)
        return dict(session.execute(query).all())


def test_a_lower_threshold_lifts_at_once_and_the_preview_has_said_whom(shop: Shop) -> None:
    wanted = drafts(shop, Silver="1500.00", Gold="3500.00", Bronze="50.00")
    told = previewed(shop, wanted)
    before = standing(shop)

    saved(shop, wanted)
    nightly.work(shop.world)

    after = standing(shop)
    assert dict(told.moves) == {(None, "Bronze"): 1, (None, "Silver"): 1, ("Silver", "Gold"): 2}
    assert (told.members, told.up, told.down) == (6, 4, 0)
    assert Counter((before[one], after[one]) for one in before if before[one] != after[one]) == Counter(told.moves)


def test_a_higher_threshold_takes_no_tier_before_its_end(shop: Shop) -> None:
    wanted = drafts(shop, Silver="3000.00", Gold="9000.00")

    assert previewed(shop, wanted) == Moves(members=6, moves={}, up=0, down=0)
    saved(shop, wanted)
    nightly.work(shop.world)

    assert Counter(standing(shop).values()) == {None: 2, "Silver": 3, "Gold": 1}


def test_under_strict_rules_a_higher_threshold_takes_tiers_at_once(shop: Shop) -> None:
    wanted = drafts(shop, Silver="3000.00", Gold="9000.00")
    told = previewed(shop, wanted, Policy(strict=True))

    saved(shop, wanted, Policy(strict=True))
    nightly.work(shop.world)

    assert (dict(told.moves), told.down) == ({("Silver", None): 1, ("Gold", "Silver"): 1}, 2)
    assert Counter(standing(shop).values()) == {None: 3, "Silver": 3}


def test_visits_instead_of_spend_move_cards_as_was_said(shop: Shop) -> None:
    shop.enrol().buys("1", "2026-03-02").buys("1", "2026-03-02")
    policy = Policy(metric=Metric.VISITS, window=Window.LIFETIME, strict=True)
    wanted = [replace(one, threshold=visits) for one, visits in zip(drafts(shop), "127", strict=True)]
    told = previewed(shop, wanted, policy)
    before = standing(shop)

    saved(shop, wanted, policy)
    nightly.work(shop.world)

    after = standing(shop)
    assert Counter((before[one], after[one]) for one in before if before[one] != after[one]) == Counter(told.moves)
    assert told.moves == {(None, "Silver"): 2, (None, "Gold"): 1, ("Gold", "Silver"): 1}


def test_a_name_and_a_multiplier_move_nobody(shop: Shop) -> None:
    wanted = [replace(one, name=f"{one.name} Club", multiplier="1.25") for one in drafts(shop)]

    saved(shop, wanted)

    assert nightly.work(shop.world) == 0
    assert Counter(standing(shop).values()) == {None: 2, "Silver Club": 3, "Gold Club": 1}


def test_two_tiers_may_change_names(shop: Shop) -> None:
    silver, gold, platinum = drafts(shop)

    saved(shop, [replace(silver, name="Gold"), replace(gold, name="Silver"), platinum])

    assert Counter(standing(shop).values()) == {None: 2, "Gold": 3, "Silver": 1}


def test_two_who_add_the_same_tier_at_once_make_one(shop: Shop) -> None:
    added = [*drafts(shop), TierDraft(name="Diamond", threshold="50000.00")]

    def add(_one: int) -> None:
        with shop.world.database.unit_of_work() as session:
            changing.change_tiers(session, session.get_one(Programme, shop.programme.id), added, now=shop.clock())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, range(2)))

    assert [one.name for one in drafts(shop)] == ["Silver", "Gold", "Platinum", "Diamond"]


def test_a_tier_in_use_is_not_deleted_and_the_refusal_counts_its_members(shop: Shop) -> None:
    with pytest.raises(Conflict) as refused:
        saved(shop, drafts(shop, Silver=""))

    assert refused.value.code == "tier_in_use"
    assert refused.value.public.startswith("Members who have the tier Silver: 3.")


def test_a_tier_that_nobody_has_is_deleted(shop: Shop) -> None:
    saved(shop, drafts(shop, Platinum=""))

    assert [one.name for one in drafts(shop)] == ["Silver", "Gold"]


def test_a_tier_that_an_offer_was_made_for_is_kept(shop: Shop) -> None:
    now = shop.clock()
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        draft = OfferDraft(
            programme=programme, title="Lounge", body="", starts_at=now, ends_at=now + timedelta(days=1),
            timezone="Europe/Istanbul", tier=programme.tiers[2],
        )  # fmt: skip
        offers.create(session, draft, by="test", now=now)

    with pytest.raises(Conflict) as refused:
        saved(shop, drafts(shop, Platinum=""))

    assert refused.value.code == "tier_has_history"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"threshold": "2000.00"}, "tiers.1.threshold"),
        ({"threshold": "1999.99"}, "tiers.1.threshold"),
        ({"threshold": "-1"}, "tiers.1.threshold"),
        ({"threshold": "6000.005"}, "tiers.1.threshold"),
        ({"threshold": "99999999999999"}, "tiers.1.threshold"),
        ({"name": "Silver"}, "tiers.1.name"),
        ({"name": " "}, "tiers.1.name"),
        ({"name": "x" * 41}, "tiers.1.name"),
        ({"multiplier": "0"}, "tiers.1.multiplier"),
        ({"multiplier": "two"}, "tiers.1.multiplier"),
        ({"background_color": "gold"}, "tiers.1.background_color"),
        ({"id": 4711}, "tiers.1.id"),
    ],
)
def test_a_faulty_tier_is_refused_with_its_field(shop: Shop, change: dict[str, Any], field: str) -> None:
    silver, gold, platinum = drafts(shop)

    with pytest.raises(Unprocessable) as refused:
        previewed(shop, [silver, replace(gold, **change), platinum])

    assert refused.value.code == "invalid_tiers"
    assert field in refused.value.errors


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (Policy(months=0), "policy.months"),
        (Policy(months=61), "policy.months"),
        (Policy(validity_months=0), "policy.validity_months"),
        (Policy(grace_days=-1), "policy.grace_days"),
        (Policy(grace_days=367), "policy.grace_days"),
    ],
)
def test_a_faulty_policy_is_refused_with_its_field(shop: Shop, policy: Policy, field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        previewed(shop, drafts(shop), policy)

    assert list(refused.value.errors) == [field]


def test_a_shorter_window_and_its_end_are_followed_by_the_job(shop: Shop) -> None:
    saved(shop, drafts(shop), Policy(months=1, validity_months=1, grace_days=0))
    nightly.work(shop.world)

    assert shop.night("2026-04-01") == 6
    with shop.world.database.reading() as session:
        assert set(session.scalars(select(Card.qualifying_minor))) == {0}


def test_a_recalculation_that_was_cut_off_goes_on_at_its_cursor(shop: Shop) -> None:
    saved(shop, drafts(shop, Silver="50.00"))
    with shop.world.database.unit_of_work() as session:
        assert nightly.recalculate(session, shop.programme.id, now=shop.clock(), chunk=2) == 2

    assert nightly.work(shop.world) == 4
    assert Counter(standing(shop).values()) == {"Silver": 5, "Gold": 1}


def test_two_processes_at_once_judge_each_card_once(shop: Shop, tmp_path: Path, clock: MovableClock) -> None:
    second = open_test_world(settings_for(shop.world.settings.database_url, tmp_path), clock)
    versions = versions_of(shop)
    shop.day("2027-05-01")  # the grace of every tier of March is over

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: nightly.work(one, chunk=2), [shop.world, second]))

    second.database.close()
    assert Counter(standing(shop).values()) == {None: 5, "Silver": 1}
    assert versions_of(shop) == {one: version + 1 for one, version in versions.items()}


def versions_of(shop: Shop) -> dict[int, int]:
    with shop.world.database.reading() as session:
        return dict(session.execute(select(Card.id, Card.version)).all())
