"""Stamps, and rewards that are put aside first, at the till."""

import re

import pytest
from werkzeug.test import TestResponse

from app.cards.models import Programme
from app.ledger.models import Entry
from app.stamps import service as stamps
from app.stamps.drafts import StampCardDraft
from app.stamps.models import StampCard
from tests import factories
from tests.app.till.conftest import Shop, Till


@pytest.fixture
def stamp_card(shop: Shop) -> StampCard:
    with shop.world.database.unit_of_work() as session:
        programme = session.get_one(Programme, shop.programme.id)
        draft = StampCardDraft(programme=programme, name="Coffee card", reward="A coffee", size=10)
        return stamps.create(session, draft, by="cli", now=shop.world.clock())


def stamp(till: Till, shop: Shop, stamp_card: StampCard, count: str = "1", **more: str) -> TestResponse:
    fields = {"key": till.key(), "stamp_card": stamp_card.public_id, "count": count, **more}
    return till.send(f"/till/cards/{shop.card.serial}/stamp", **fields)


def hold(till: Till, shop: Shop) -> str:
    page = till.done(till.redeem(shop.card, reserve=shop.reward.public_id))
    found = re.search(r'name="hold" value="([^"]+)"', page)
    assert found
    return found[1]


def end(till: Till, shop: Shop, hold_id: str, act: str, **more: str) -> TestResponse:
    return till.send(f"/till/cards/{shop.card.serial}/hold", **{"key": till.key(), "hold": hold_id, "act": act, **more})


def test_eight_of_ten_and_four_more_are_a_reward_and_two(till: Till, shop: Shop, stamp_card: StampCard) -> None:
    till.done(stamp(till, shop, stamp_card, "8"))
    shop.world.clock.advance(minutes=20)  # type: ignore[attr-defined]

    page = till.done(stamp(till, shop, stamp_card, "4"))

    assert "2 of 10" in page
    assert "Stamp card full" in page


def test_the_reward_of_a_full_stamp_card_is_used_once(till: Till, shop: Shop, stamp_card: StampCard) -> None:
    till.done(stamp(till, shop, stamp_card, "10"))
    shop.world.clock.advance(minutes=1)  # type: ignore[attr-defined]

    till.done(till.redeem(shop.card, stamp_card=stamp_card.public_id))
    again = till.redeem(shop.card, stamp_card=stamp_card.public_id)

    assert again.status_code == 409
    assert re.search(r"Used on .* at .*Kadıköy", again.text)


def test_stamping_says_when_the_last_stamp_was_just_now(till: Till, shop: Shop, stamp_card: StampCard) -> None:
    till.done(stamp(till, shop, stamp_card))
    shop.world.clock.advance(minutes=1)  # type: ignore[attr-defined]

    assert "Soon after the last stamps" in till.done(stamp(till, shop, stamp_card))


@pytest.mark.parametrize("count", ["", "0", "-1", "1.5", "x", "99999", "501", "١", "\x00"])
def test_a_number_of_stamps_that_is_none_is_refused(till: Till, shop: Shop, stamp_card: StampCard, count: str) -> None:
    answer = stamp(till, shop, stamp_card, count)

    assert answer.status_code == 422
    assert 'id="e-count-1"' in answer.text


def test_more_than_fifty_stamps_need_a_manager(
    till: Till, manager_till: Till, shop: Shop, stamp_card: StampCard
) -> None:
    assert stamp(till, shop, stamp_card, "51").status_code == 403
    assert stamp(manager_till, shop, stamp_card, "51").status_code == 303


@pytest.mark.parametrize("name", ["", "stc_unknown", "x\x00", "'--", "a" * 300])
def test_an_unknown_stamp_card_is_refused(till: Till, shop: Shop, name: str) -> None:
    fields = {"key": till.key(), "stamp_card": name, "count": "1"}

    assert till.send(f"/till/cards/{shop.card.serial}/stamp", **fields).status_code == 404


def test_a_press_that_is_repeated_stamps_once(till: Till, shop: Shop, stamp_card: StampCard) -> None:
    first = stamp(till, shop, stamp_card, key="same")

    assert stamp(till, shop, stamp_card, key="same").location == first.location
    assert "1 of 10" in till.client.get(f"/till/cards/{shop.card.serial}").text


def test_what_is_reserved_cannot_be_spent_and_is_handed_out_once(till: Till, shop: Shop) -> None:
    hold_id = hold(till, shop)
    assert shop.balance() == 20
    assert till.redeem(shop.card, reward=shop.reward.public_id).status_code == 422
    shop.world.clock.advance(seconds=30)  # type: ignore[attr-defined]

    till.done(end(till, shop, hold_id, "capture"))
    again = end(till, shop, hold_id, "capture")

    assert again.status_code == 409
    assert "reservation is over" in again.text
    assert shop.balance() == 20


def test_a_handed_out_reservation_is_undone_as_any_reward(till: Till, shop: Shop) -> None:
    page = till.done(end(till, shop, hold(till, shop), "capture"))
    shop.world.clock.advance(seconds=5)  # type: ignore[attr-defined]
    entry = re.search(r'name="entry" value="([^"]+)">\s*<button[^>]*data-undo', page)
    assert entry

    till.done(till.undo(entry[1]))

    assert shop.balance() == 100


def test_what_is_let_go_comes_back(till: Till, shop: Shop) -> None:
    till.done(end(till, shop, hold(till, shop), "let_go"))

    assert shop.balance() == 100


def test_a_reservation_that_is_over_is_not_handed_out(till: Till, shop: Shop) -> None:
    hold_id = hold(till, shop)
    shop.world.clock.advance(seconds=301)  # type: ignore[attr-defined]

    answer = end(till, shop, hold_id, "capture")

    assert answer.status_code == 409
    assert "reservation is over" in answer.text


@pytest.mark.parametrize("hold_id", ["", "hld_unknown", "x\x00", "'--", "a" * 300])
def test_an_unknown_reservation_is_refused(till: Till, shop: Shop, hold_id: str) -> None:
    for act in ("capture", "let_go"):
        assert end(till, shop, hold_id, act).status_code == 404


def test_a_reservation_belongs_to_its_card(till: Till, shop: Shop) -> None:
    hold_id = hold(till, shop)
    with shop.world.database.unit_of_work() as session:
        other = factories.card(session, shop.card.programme, "Can Öz")

    answer = till.send(f"/till/cards/{other.serial}/hold", key=till.key(), hold=hold_id, act="capture")

    assert answer.status_code == 404
    assert shop.balance() == 20


def newest(shop: Shop) -> Entry:
    return shop.entries()[0]


def test_a_reservation_is_let_go_by_undo(till: Till, shop: Shop) -> None:
    hold(till, shop)

    till.done(till.undo(newest(shop).id))

    assert shop.balance() == 100
