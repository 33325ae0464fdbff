"""What the passes and objects of both wallets say of tiers: the numbers of a real card, from the wallets' own data."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.cards.models import Card, Member, Programme
from app.tiers import changing, service
from app.tiers.changing import TierDraft
from app.tiers.rules import Metric, Policy
from app.tiers.service import Granting
from app.wallets.apple import add
from app.wallets.google import face
from app.wallets.view import CardView, card_view
from app.world import World
from passes.google import encode
from passes.google.ids import ResourceId
from tests.app.tiers.members import Buyer, Shop, noon
from tests.conftest import MovableClock

AT = face.Place(issuer="3388000000012345678", base_url="https://cards.example.com", callback_url=None)


@pytest.fixture
def shop(world: World, clock: MovableClock) -> Shop:
    clock.at = noon("2026-01-02")
    return Shop(world, clock)


def in_august(shop: Shop) -> Buyer:
    """Gold to 31 August 2027, with 4,100 spent since."""
    buyer = shop.enrol().buys("2500", "2026-01-14").buys("3900", "2026-08-09")
    buyer.buys("3000", "2026-09-01").buys("1100", "2027-05-05")
    shop.night("2027-08-20")
    return buyer


def view(buyer: Buyer, language: str = "en") -> CardView:
    world = buyer.shop.world
    with world.database.unit_of_work() as session:
        session.get_one(Member, buyer.card.member_id).language = language
    with world.database.reading() as session:
        return card_view(session, session.get_one(Card, buyer.card.id), now=world.clock())


def apple(buyer: Buyer, language: str = "en") -> dict[str, Any]:
    """The fields of the pass.json, by key."""
    content: Mapping[str, Any] = add.pass_json(buyer.shop.world, view(buyer, language))["storeCard"]
    return {one["key"]: one for group in content.values() for one in group}


def google(buyer: Buyer, language: str = "en") -> dict[str, Any]:
    """The text modules of the object as Google is sent it, by id."""
    made = face.loyalty_object(view(buyer, language), id=ResourceId(issuer=AT.issuer, suffix="card.x"), at=AT)
    modules: list[dict[str, Any]] = encode.body(made)["textModulesData"]
    return {one["id"]: one for one in modules}


def test_w14_is_told_on_both_wallets(shop: Shop) -> None:
    buyer = in_august(shop)

    front, back = apple(buyer)["next"], apple(buyer)["level"]
    modules = google(buyer)

    assert (front["label"], front["value"]) == ("To keep Gold", "1,900 TRY by 31 Aug")
    assert back["value"].splitlines() == [
        "Gold, valid to 31 Aug",
        "1,900 TRY to keep Gold by 31 Aug",
        "10,900 TRY to Platinum by 31 Aug",
    ]
    assert modules["level"]["localizedBody"]["defaultValue"]["value"] == back["value"]
    assert modules["next"]["localizedHeader"]["defaultValue"]["value"] == "To keep Gold"


@pytest.mark.parametrize(
    ("language", "front", "line"),
    [
        ("tr", "₺1.900, 31 Ağu tarihine kadar", "Gold seviyesini korumak için 31 Ağu tarihine kadar ₺1.900"),
        ("id", "1.900 TRY sampai 31 Agu", "1.900 TRY lagi agar tetap Gold, sampai 31 Agu"),
    ],
)
def test_the_member_s_language_decides_words_money_and_days(shop: Shop, language: str, front: str, line: str) -> None:
    buyer = in_august(shop)

    found = apple(buyer, language)

    assert found["next"]["value"] == front
    assert found["level"]["value"].splitlines()[1] == line


def test_within_the_grace_the_card_says_when_it_ends(shop: Shop) -> None:
    buyer = in_august(shop)
    shop.night("2027-09-02")

    assert apple(buyer)["level"]["value"].splitlines()[:2] == [
        "Gold, valid to 30 Sep",
        "4,900 TRY to keep Gold by 30 Sep",
    ]


def test_what_leads_to_a_tier_counts_until_the_first_of_it_no_longer_does(shop: Shop) -> None:
    buyer = shop.enrol().buys("1500", "2026-03-10").buys("100.50", "2026-08-01")

    assert apple(buyer)["next"] == {"key": "next", "label": "To Silver", "value": "399.50 TRY by 28 Feb 2027"}
    assert apple(buyer)["level"]["value"] == "399.50 TRY to Silver by 28 Feb 2027"


def test_who_has_bought_nothing_is_told_of_no_day(shop: Shop) -> None:
    assert apple(shop.enrol())["next"]["value"] == "2,000 TRY"


def test_a_tier_given_by_hand_is_shown_with_its_own_last_day(shop: Shop) -> None:
    buyer = shop.enrol().buys("2500", "2026-01-14")
    with shop.world.database.unit_of_work() as session:
        until = noon("2026-12-31").date()
        granting = Granting(tier_id=shop.tier("Platinum"), until=until, reason="Partner", by="staff:stf_1")
        service.grant(session, session.get_one(Card, buyer.card.id), granting, now=shop.clock())

    found = apple(buyer)

    assert found["tier"]["value"] == "Platinum"
    assert found["level"]["value"].splitlines()[0] == "Platinum, valid to 31 Dec"


def test_visits_are_counted_as_visits(shop: Shop) -> None:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        drafts = [TierDraft(id=shop.tier("Silver"), name="Silver", threshold="3")]
        planned = changing.plan(session, programme, drafts, Policy(metric=Metric.VISITS))
        changing.save(session, programme, planned, now=shop.clock())
    buyer = shop.enrol().buys("10", "2026-03-10")
    assert apple(buyer)["next"]["value"] == "2 visits by 28 Feb 2027"

    buyer.buys("10", "2026-03-11")

    assert apple(buyer)["next"]["value"] == "1 visit by 28 Feb 2027"


def test_a_card_that_is_void_promises_nothing(shop: Shop) -> None:
    buyer = in_august(shop)
    with shop.world.database.unit_of_work() as session:
        session.get_one(Card, buyer.card.id).status = "voided"

    assert not {"next", "level"} & apple(buyer).keys()
